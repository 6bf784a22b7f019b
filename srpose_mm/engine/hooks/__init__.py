from .channels_last_hook import ChannelsLastHook
from .check_dataset_hook import CheckDatasetHook
from .check_targets_hook import CheckTargetsHook
from .end_workers_hook import EndWorkersHook
from .epoch_seed_hook import EpochSeedHook
from .safe_checkpoint_hook import SafeCheckpointHook

__all__ = [
    'ChannelsLastHook', 'CheckDatasetHook', 'CheckTargetsHook',
    'EndWorkersHook', 'EpochSeedHook', 'SafeCheckpointHook'
]
