r"""Put a super-resolution head on a stock MMPose model.

The tool writes a config that inherits from the stock one and runs with mim,
and prints the model before and after. With --checkpoint, the weights that
stay are written beside it, with the suffix .pth, and the config loads them.

Example:
    mim run srpose_mm swap_head td-hm_res50_8xb64-210e_coco-256x192 \
        --scheme srpose --out my_config.py --checkpoint stock.pth
    mim train mmpose my_config.py
"""
import argparse
import sys

from tabulate import tabulate

from srpose_mm.apis import measure_complexity, swap_files
from srpose_mm.codecs import REFINEMENTS
from srpose_mm.configs import load_config, type_name
from srpose_mm.console import get_logger, one_line_errors

HEADERS = ('', 'neck', 'head', 'heatmap', 'backbone M', 'other M', 'GFLOPs')


def parse_args(argv=None):
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        'config',
        help='stock config: a file, mmpose::PATH or a name of the model zoo')
    parser.add_argument('--out', required=True, help='config to write, .py')
    parser.add_argument('--scheme', default='sr', choices=['sr', 'srpose'])
    parser.add_argument('--checkpoint', help='weights of the stock model')
    parser.add_argument(
        '--backbone',
        metavar='timm:NAME',
        help='new backbone from timm; default: the stock backbone')
    parser.add_argument(
        '--heatmap-size',
        nargs=2,
        type=int,
        metavar=('W', 'H'),
        help='in cells; default: the size of the input')
    parser.add_argument(
        '--sigma',
        type=float,
        help='of the targets, in heatmap cells; default: the stock width')
    parser.add_argument('--refine', choices=REFINEMENTS)
    parser.add_argument(
        '--unbiased',
        action='store_true',
        default=None,
        help='center the targets on the keypoints, not on cells')
    return parser.parse_args(argv)


def compare_table(stock, swapped):
    """Compare parameters, GFLOPs and heatmap size of two deployed models.

    Returns:
        A table in Markdown, and the reason if a model could not be counted.
    """
    rows, notes = [], []
    for name, cfg in dict(before=stock, after=swapped).items():
        head, neck = cfg.model.head, cfg.model.get('neck')
        size = (head.get('decoder') or cfg.codec).get('heatmap_size')
        row = [name, type_name(neck or {}), type_name(head),
               'x'.join(map(str, size or ()))]
        try:
            backbone, others, gflops = measure_complexity(cfg)
            row += [f'{number:.2f}'
                    for number in (backbone / 1e6, others / 1e6, gflops)]
        # Errors of a stock model whose own package is not installed.
        except (ImportError, KeyError, RuntimeError, ValueError) as err:
            row += [''] * 3
            notes.append(f'{name}: not counted, {err}'.splitlines()[0])
        rows.append(row)
    table = tabulate(rows, HEADERS, 'github', disable_numparse=True,
                     colalign=['left'] * 4 + ['right'] * 3)
    return '\n'.join([table, *notes])


def log_weights(weights, logger):
    """Log the number of tensors of each kind, and their modules."""
    kinds = dict(
        kept=weights.state_dict, fresh=weights.fresh, dropped=weights.dropped)
    for kind, keys in kinds.items():
        modules = {'.'.join(key.split('.')[:2]): None for key in keys}
        logger.info(f'{kind}: {len(keys)} tensors {", ".join(modules)}')


def main(argv=None):
    """Run the tool."""
    args = vars(parse_args(argv))
    with one_line_errors('swap_head'):
        stock = load_config(args['config'])
        files = swap_files(args.pop('config'), args.pop('out'), **args)
    sys.stdout.write(compare_table(stock, files.cfg) + '\n')
    logger = get_logger()
    if files.weights:
        log_weights(files.weights, logger)
        logger.info(f'weights written to {files.checkpoint}')
    logger.info(f'config written to {files.out}')


if __name__ == '__main__':
    main()
