"""Test a model with MMPose's script, for ``mim test srpose_mm CONFIG``.

The checkpoint must have all weights of the config's model; otherwise the
script says which ones are missing.

Example:
    python tools/test.py CONFIG CHECKPOINT --work-dir work_dirs/demo
"""
import sys

from srpose_mm.apis import CheckpointError, run_mmpose_tool

# A config of MMPose, or one that swap_head wrote, has the stock hook.
HOOK = 'default_hooks.checkpoint.type=SafeCheckpointHook'


def with_our_hook(argv):
    """Return the arguments with the option that selects our hook."""
    for index, word in enumerate(argv):
        name, _, value = word.partition('=')
        if name == '--cfg-options':
            given = [value] if value else []
            return [*argv[:index], name, HOOK, *given, *argv[index + 1:]]
    return [*argv, '--cfg-options', HOOK]


def main(argv=None):
    """Run the tool."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        run_mmpose_tool('test', with_our_hook(argv))
    except CheckpointError as err:
        raise SystemExit(f'test: {err}') from err


if __name__ == '__main__':
    main()
