"""MMPose's test script, for ``mim test srpose_mm CONFIG``.

Example:
    python tools/test.py CONFIG CHECKPOINT
"""
from srpose_mm.apis import run_mmpose_tool


def main(argv=None):
    run_mmpose_tool('test', argv)


if __name__ == '__main__':
    main()
