from .channels_last_hook import ChannelsLastHook
from .end_workers_hook import EndWorkersHook
from .epoch_seed_hook import EpochSeedHook
from .safe_checkpoint_hook import SafeCheckpointHook

__all__ = [
    'ChannelsLastHook', 'EndWorkersHook', 'EpochSeedHook', 'SafeCheckpointHook'
]
