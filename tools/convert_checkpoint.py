"""Convert a checkpoint of the authors' code (SRPose, bottom-up SR head).

It says which tensors it maps and drops and which configs the result loads
into; without --out it writes nothing.

Example:
    mim run srpose_mm convert_checkpoint authors.pth --out converted.pth
"""
import argparse

from mmengine.logging import MMLogger

from srpose_mm.checkpoints.convert_checkpoint import convert_checkpoint


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('checkpoint', help='file of the authors\' code')
    parser.add_argument('--out', help='file to write')
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    try:
        conversion = convert_checkpoint(args.checkpoint, args.out)
    except (OSError, ValueError) as err:
        raise SystemExit(f'{err}') from err
    logger = MMLogger.get_instance('srpose_mm', logger_name='srpose_mm')
    logger.info(conversion.report())
    if args.out:
        logger.info(f'written to {args.out}')


if __name__ == '__main__':
    main()
