# The low-resolution map without its ReLU and with the weight of the others.
_base_ = ['_base_/lspet_128x128.py']

# model settings
model = dict(
    neck=dict(type='LinearLowResolutionNeck'),
    head=dict(loss_weights=(1., 1., 1., 1., 1.)))
