"""The speed that predictions of this package aim at."""
from typing import List, NamedTuple

from .decoding import bottom_up_head, bottom_up_tasks
from .measure import Settings, time_tasks
from .prediction import HEAD, REST, heatmap_figures, prediction_tasks
from .systems import DENSE, PEAKS, PUBLISHED, STOCK, load_systems


class Aim(NamedTuple):
    """Aim of a measure, for two CPU cores.

    Attributes:
        batch: Images of a prediction.
        other: System that :data:`PEAKS` is compared with.
        value: How many times faster predictions shall be, or the most MB.
        part: Measure of :func:`prediction_tasks`, if it is one.
    """

    batch: int
    other: str
    value: float
    part: str = HEAD


BOTTOM_UP = 'bottom-up after the backbone, against full maps'
LARGEST = 'largest heatmap tensor of a prediction'
AIMS = {
    'head and decoding, against full maps': Aim(8, DENSE, 3),
    'all after the backbone, against the published form':
    Aim(4, PUBLISHED, 2.5, REST),
    "all after the backbone, against MMPose's 1/4": Aim(4, STOCK, 3.5, REST),
    BOTTOM_UP: Aim(1, 'full maps', 2),
    LARGEST: Aim(64, DENSE, 15)
}


def measure_aims(settings: Settings) -> List[dict]:
    """Measure what ``AIMS`` names, on the first backbone.

    The last system of a measure is peak-only prediction, the one before it
    what it is compared with. A bottom-up image has 512x512 px and eight
    instances, without noise.
    """
    backbone, device = settings.backbones[0], settings.device
    systems, figures = load_systems(backbone), []
    models = {name: systems[name].build(device, deploy=True)
              for name in (STOCK, PUBLISHED, DENSE, PEAKS)}
    for measure, aim in AIMS.items():
        where = dict(batch=aim.batch)
        if measure == BOTTOM_UP:
            tasks = bottom_up_tasks(bottom_up_head(device), 8, 0)
            figures += time_tasks(measure, tasks, settings, **where)
            continue
        where['backbone'] = backbone
        tasks = {name: prediction_tasks(models[name], systems[name],
                                        aim.batch, device)[aim.part]
                 for name in (aim.other, PEAKS)}
        if measure == LARGEST:
            size = systems[PEAKS].codec['input_size']
            figures += heatmap_figures(measure, tasks, size, where)
        else:
            figures += time_tasks(measure, tasks, settings, **where)
    return figures
