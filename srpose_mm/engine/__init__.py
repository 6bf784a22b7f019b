from .hooks import (
    ChannelsLastHook,
    CheckDatasetHook,
    EndWorkersHook,
    EpochSeedHook,
    SafeCheckpointHook,
)

__all__ = [
    'ChannelsLastHook', 'CheckDatasetHook', 'EndWorkersHook', 'EpochSeedHook',
    'SafeCheckpointHook'
]
