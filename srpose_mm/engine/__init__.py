from .hooks import (
    ChannelsLastHook,
    EndWorkersHook,
    EpochSeedHook,
    SafeCheckpointHook,
)

__all__ = [
    'ChannelsLastHook', 'EndWorkersHook', 'EpochSeedHook', 'SafeCheckpointHook'
]
