"""Train a model with MMPose's script, for ``mim train srpose_mm CONFIG``.

Example:
    python tools/train.py CONFIG --work-dir work_dirs/demo
"""
import sys

from srpose_mm.apis import CheckpointError, run_mmpose_tool


def main(argv=None):
    """Run the tool."""
    try:
        run_mmpose_tool('train', sys.argv[1:] if argv is None else argv)
    except CheckpointError as err:
        raise SystemExit(f'train: {err}') from err


if __name__ == '__main__':
    main()
