# The simple baseline: three deconvolutions, maps at a quarter of the input.
_base_ = ['_base_/lspet_128x128.py']

# codec settings, sigma in the proportion of the other models
codec = dict(
    type='MSRAHeatmap',
    input_size=(128, 128),
    heatmap_size=(32, 32),
    sigma=1.25)

# model settings
model = dict(
    backbone=dict(out_indices=(4, )),
    neck=None,
    head=dict(
        _delete_=True,
        type='HeatmapHead',
        in_channels=320,
        out_channels=14,
        loss=dict(type='KeypointMSELoss', use_target_weight=True),
        decoder=codec))

# pipelines
train_pipeline = _base_.train_pipeline
train_pipeline[-2] = dict(type='GenerateTarget', encoder=codec)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
