import copy
import tempfile
import time
from pathlib import Path
from typing import List, Optional

from mmengine.runner import Runner
from mmpose.structures import PoseDataSample
from torch import Tensor
from torch.utils.data import DataLoader

from srpose_mm.testing import make_toy_dataset

from .systems import BASELINE, System, Systems
from .timing import Figure, summarize

# What is loaded: stock targets of three kinds, and ours.
COMPARED = (BASELINE, 'stock full', 'SimCC', 'SRPose plain', 'SRPose fast')


def loader_throughput(systems: Systems, workers: int, rounds: int,
                      data_root: Optional[Path],
                      num_images: int = 96) -> List[Figure]:
    """Measure samples a second of the training pipeline, and target bytes.

    Args:
        systems: The systems, of which ``COMPARED`` are measured.
        workers: Worker processes; 0 loads in this one.
        rounds: Epochs of each, in turns, after one to warm up.
        data_root: A data set in COCO's layout; ``None`` draws one with
            images of COCO's size.
        num_images: Images of the drawn data set.

    Returns:
        A figure in samples/s for each system and, without workers, one in
        bytes.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = data_root or make_toy_dataset(
            folder, num_train=num_images, num_val=1, image_size=(640, 480))
        loaders = {
            name: _loader(systems[name], workers, root)
            for name in COMPARED
        }
        rates = {name: [] for name in loaders}
        for turn in range(rounds + 1):
            for name, loader in loaders.items():
                start = time.perf_counter()
                count = sum(len(batch['inputs']) for batch in loader)
                if turn:
                    rates[name].append(count / (time.perf_counter() - start))
        measure = f'data loader, {workers} workers'
        figures = [
            summarize(measure, name, 'samples/s', values)
            for name, values in rates.items()
        ]
        if workers:
            return figures
        for name, loader in loaders.items():
            sample = loader.dataset[0]['data_samples']
            figures.append(
                summarize('targets of a sample', name, 'bytes',
                          [target_bytes(sample)]))
    return figures


def target_bytes(sample: PoseDataSample) -> int:
    """Bytes of the tensors that a sample carries from loader to loss."""
    parts = [sample.gt_instance_labels]
    if 'gt_fields' in sample:
        parts.append(sample.gt_fields)
    return sum(value.numel() * value.element_size() for part in parts
               for value in part.values() if isinstance(value, Tensor))


def _loader(system: System, workers: int, root: Path) -> DataLoader:
    cfg = copy.deepcopy(system.cfg.train_dataloader)
    cfg.update(
        batch_size=16,
        num_workers=workers,
        persistent_workers=workers > 0,
        drop_last=False)
    cfg.dataset.data_root = str(root)
    return Runner.build_dataloader(cfg, seed=0)
