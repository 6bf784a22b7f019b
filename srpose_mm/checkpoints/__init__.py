from .authors import convert_checkpoint
from .files import AtomicFileBackend, atomic_write, check_out, save_checkpoint
from .reading import CheckpointError, load_checkpoint
from .weights import get_state_dict, load_weights

__all__ = [
    'AtomicFileBackend', 'CheckpointError', 'atomic_write', 'check_out',
    'convert_checkpoint', 'get_state_dict', 'load_checkpoint', 'load_weights',
    'save_checkpoint'
]
