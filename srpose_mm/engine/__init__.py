from .hooks import ChannelsLastHook, EpochSeedHook, SafeCheckpointHook

__all__ = ['ChannelsLastHook', 'EpochSeedHook', 'SafeCheckpointHook']
