"""MMPose's train script, for ``mim train srpose_mm CONFIG``.

Example:
    python tools/train.py CONFIG --work-dir work_dirs/demo
"""
from srpose_mm.apis import run_mmpose_tool


def main(argv=None):
    run_mmpose_tool('train', argv)


if __name__ == '__main__':
    main()
