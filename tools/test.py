"""Test a model with MMPose's script, for ``mim test srpose_mm CONFIG``.

Example:
    python tools/test.py CONFIG CHECKPOINT --work-dir work_dirs/demo
"""
import sys

from srpose_mm.apis import run_mmpose_tool


def main(argv=None):
    run_mmpose_tool('test', sys.argv[1:] if argv is None else argv)


if __name__ == '__main__':
    main()
