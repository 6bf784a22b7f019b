# UDP: pixels map by w - 1, so that flips need no shift.
_base_ = ['td-hm_res18_5e_toy-128x96.py']

# codec settings
udp = dict(
    type='UDPHeatmap',
    input_size=(96, 128),
    heatmap_size=(24, 32),
    sigma=1.5)

# model settings
model = dict(
    head=dict(decoder=udp), test_cfg=dict(shift_heatmap=False))

# pipelines
affine = dict(type='TopdownAffine', input_size=(96, 128), use_udp=True)
train_pipeline = _base_.train_pipeline
train_pipeline[-3] = affine
train_pipeline[-2] = dict(type='GenerateTarget', encoder=udp)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_pipeline = _base_.val_pipeline
val_pipeline[-2] = affine
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
