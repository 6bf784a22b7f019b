from .channels_last_hook import ChannelsLastHook
from .epoch_seed_hook import EpochSeedHook
from .safe_checkpoint_hook import SafeCheckpointHook

__all__ = ['ChannelsLastHook', 'EpochSeedHook', 'SafeCheckpointHook']
