"""Write a model as it is deployed to a TorchScript file and check the file.

It says what goes in and comes out, and how much that differs from PyTorch.
Where it differs by more than rounding, there is no file.

Example:
    mim run srpose_mm export_torchscript CONFIG CHECKPOINT --out model.pt
"""
import argparse
import sys

from srpose_mm.configs import load_config
from srpose_mm.deploy import add_export_arguments
from srpose_mm.deploy.export_torchscript import export_torchscript


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_export_arguments(parser)
    return parser.parse_args(argv)


def main(argv=None):
    args = vars(parse_args(argv))
    try:
        cfg = load_config(args.pop('config'))
        cfg.merge_from_dict(args.pop('cfg_options') or {})
        exported = export_torchscript(cfg, **args)
    except (OSError, RuntimeError, ValueError) as err:
        raise SystemExit(f'{err}') from err
    sys.stdout.write(exported.report() + '\n')


if __name__ == '__main__':
    main()
