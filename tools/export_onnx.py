"""Write a model as it is deployed to an ONNX file and check the file.

It says what goes in and comes out, and how much that differs from PyTorch.
Where it differs by more than rounding, there is no file. It needs onnx and
onnxruntime.

Example:
    mim run srpose_mm export_onnx CONFIG CHECKPOINT --out model.onnx
    mim run srpose_mm export_onnx CONFIG CHECKPOINT --out model.onnx \\
        --no-decode --normalize
"""
import argparse
import sys

from srpose_mm.configs import load_config
from srpose_mm.deploy import add_export_arguments
from srpose_mm.deploy.export_onnx import export_onnx


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_export_arguments(parser)
    parser.add_argument(
        '--opset', type=int, default=17, help='of the ONNX operators')
    return parser.parse_args(argv)


def main(argv=None):
    args = vars(parse_args(argv))
    try:
        cfg = load_config(args.pop('config'))
        cfg.merge_from_dict(args.pop('cfg_options') or {})
        exported = export_onnx(cfg, **args)
    except (ImportError, OSError, RuntimeError, ValueError) as err:
        raise SystemExit(f'{err}') from err
    sys.stdout.write(exported.report() + '\n')


if __name__ == '__main__':
    main()
