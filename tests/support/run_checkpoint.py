"""The checkpoint of a small training, and files that are damaged."""
import numpy as np
import torch
from mmengine.logging import MessageHub


def run_checkpoint(**meta):
    """Return what MMEngine's CheckpointHook saves beside the weights."""
    hub = MessageHub('run_checkpoint')
    hub.log_scalars.clear()
    hub.update_scalar('train/loss', 0.5)
    hub.update_scalar('train/loss', np.float64(0.25))
    hub.update_info('best_score', np.float32(0.7))
    hub.update_info('palette', np.arange(6, dtype=np.uint8).reshape(2, 3))
    hub.update_info('name', np.str_('toy'))
    return dict(
        state_dict=torch.nn.Linear(2, 1).state_dict(),
        message_hub=hub.state_dict(),
        meta=dict(epoch=1, iter=3, **meta))


def flip_bit(path, tensor):
    """Change one bit of a tensor in a file."""
    contents = bytearray(path.read_bytes())
    contents[contents.index(tensor.numpy().tobytes())] ^= 1
    path.write_bytes(contents)
