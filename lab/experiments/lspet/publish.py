"""Write the weights of a checkpoint in half precision, as safetensors.

Example:
    python lab/experiments/lspet/publish.py work_dirs/lspet/epoch_10.pth \\
        td-srpose_efficientnet-lite0_1xb32-10e_lspet-160x160.safetensors
"""
import argparse

from safetensors.torch import save_file

from srpose_mm.apis import load_checkpoint


def main(argv=None):
    """Run the command-line tool."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('checkpoint', help='checkpoint of a training')
    parser.add_argument('out', help='the .safetensors file to write')
    args = parser.parse_args(argv)
    weights = load_checkpoint(args.checkpoint)['state_dict']
    save_file(
        {
            name: (value.half() if value.is_floating_point() else
                   value).contiguous()
            for name, value in weights.items()
        }, args.out)


if __name__ == '__main__':
    main()
