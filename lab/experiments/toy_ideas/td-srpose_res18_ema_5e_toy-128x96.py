# The mean of the weights over the last steps is what is tested.
_base_ = ['../toy_coco/td-srpose_res18_5e_toy-128x96.py']

# hooks
custom_hooks = [
    dict(type='SyncBuffersHook'),
    dict(type='ChannelsLastHook'),
    dict(
        type='EMAHook',
        ema_type='ExpMomentumEMA',
        momentum=0.01,
        gamma=50,
        update_buffers=True)
]
