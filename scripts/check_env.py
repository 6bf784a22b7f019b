"""Show what is installed and run one small model; run by ``make setup``."""
import platform
import warnings
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ('torch', 'torchvision', 'numpy', 'cv2', 'mmengine', 'mmcv',
            'mmdet', 'mmpose', 'xtcocotools', 'srpose_mm')


def main():
    # MMEngine's use of pkg_resources is nothing that can be changed here.
    warnings.filterwarnings('ignore', message='pkg_resources')
    versions = {'python': platform.python_version()}
    for name in PACKAGES:
        module = import_module(name)
        versions[name] = getattr(module, '__version__', None) or version(name)
    for name, number in versions.items():
        print(f'   {name:<12} {number}')
    print(f'   {"mmcv.ops":<12} {len(dir(import_module("mmcv.ops")))} names')
    run_model()


def run_model():
    import torch
    from mmengine.config import Config
    from mmpose.registry import MODELS
    path = next((ROOT / 'configs' / 'demo').glob('*.py'))
    cfg = Config.fromfile(path)
    width, height = cfg.codec.input_size
    model = MODELS.build(cfg.model).eval()
    with torch.no_grad():
        heatmaps = model(torch.zeros(1, 3, height, width), None)
    print(f'   {path.name}: input {height}x{width}, heatmaps '
          f'{"x".join(map(str, heatmaps.shape[1:]))}, built and run')


if __name__ == '__main__':
    main()
