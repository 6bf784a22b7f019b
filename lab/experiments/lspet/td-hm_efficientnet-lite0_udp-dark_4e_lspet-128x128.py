# UDP, whose peaks are refined as DARK does: pixels map by w - 1.
_base_ = ['td-hm_efficientnet-lite0_4e_lspet-128x128.py']

# codec settings
codec = dict(
    type='UDPHeatmap',
    input_size=(128, 128),
    heatmap_size=(32, 32),
    sigma=1.25,
    blur_kernel_size=7)

# model settings
model = dict(
    head=dict(decoder=codec), test_cfg=dict(shift_heatmap=False))

# pipelines
affine = dict(type='TopdownAffine', input_size=(128, 128), use_udp=True)
train_pipeline = _base_.train_pipeline
train_pipeline[-3] = affine
train_pipeline[-2] = dict(type='GenerateTarget', encoder=codec)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_pipeline = _base_.val_pipeline
val_pipeline[-2] = affine
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
