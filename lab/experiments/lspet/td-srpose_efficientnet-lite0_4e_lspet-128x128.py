# SRPose as in the paper: the loss of every map, 1e-4 of that of lr.
_base_ = ['_base_/lspet_128x128.py']

# model settings
model = dict(head=dict(loss_weights=None))
