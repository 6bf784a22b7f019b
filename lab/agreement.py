r"""Compare the keypoints of peak-only and of dense prediction.

Both run over the test set of a config with the same weights, with and without
flip test.

Example:
    python -m lab.agreement \\
        td-srpose_efficientnet-lite0_1xb32-10e_lspet-160x160 \\
        work_dirs/lspet/epoch_10.pth
"""
import argparse
from typing import Dict, Tuple

import numpy as np
import torch
from mmengine.config import Config, DictAction
from mmengine.runner import Runner
from mmpose.apis import init_model

from srpose_mm.configs import load_config
from srpose_mm.console import one_line_errors, progress

TOLERANCE = 0.01  # px of the image


def parse_args(argv=None):
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m lab.agreement',
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('config', help='config of a top-down SR model')
    parser.add_argument('checkpoint', help='its checkpoint: a file or URL')
    parser.add_argument(
        '--score-thr', type=float, default=0.3,
        help='lowest score of a keypoint that is compared; default: 0.3')
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    return parser.parse_args(argv)


def main(argv=None):
    """Run the command-line tool."""
    args = parse_args(argv)
    with one_line_errors('agreement'):
        cfg = load_config(args.config)
        cfg.merge_from_dict(args.cfg_options or {})
        for flip_test in (False, True):
            share, number, worst = compare(
                cfg, args.checkpoint, flip_test, args.score_thr, args.device)
            print(f'flip_test={flip_test}: {share:.4%} of {number} keypoints '
                  f'within {TOLERANCE} px, largest distance {worst:.3f} px')


def compare(cfg: Config, checkpoint: str, flip_test: bool, score_thr: float,
            device: str) -> Tuple[float, int, float]:
    """Return share, number and largest distance (px) of compared keypoints."""
    peaks, dense = (
        predict(cfg, checkpoint, device,
                dict(flip_test=flip_test, peaks_only=peaks_only))
        for peaks_only in (True, False))
    counted = dense['keypoint_scores'] > score_thr
    distances = np.linalg.norm(
        peaks['keypoints'] - dense['keypoints'], axis=-1)[counted]
    return ((distances <= TOLERANCE).mean(), counted.sum(), distances.max())


def predict(cfg: Config, checkpoint: str, device: str,
            test_cfg: dict) -> Dict[str, np.ndarray]:
    """Return keypoints (N, K, 2) and their scores (N, K) of the test set."""
    cfg = Config(cfg.to_dict())
    cfg.model.test_cfg.update(test_cfg)
    model = init_model(cfg, checkpoint, device)
    results = dict(keypoints=[], keypoint_scores=[])
    with torch.inference_mode():
        loader = Runner.build_dataloader(cfg.test_dataloader)
        for batch in progress(loader, 'predicting'):
            for sample in model.test_step(batch):
                for name, values in results.items():
                    values.append(sample.pred_instances[name])
    return {name: np.concatenate(values) for name, values in results.items()}


if __name__ == '__main__':
    main()
