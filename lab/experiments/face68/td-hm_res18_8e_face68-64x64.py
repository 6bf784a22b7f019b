# The simple baseline: three deconvolutions, maps at a quarter of the input.
_base_ = ['_base_/face68_64x64.py']

# codec settings
codec = dict(
    type='MSRAHeatmap', input_size=(64, 64), heatmap_size=(16, 16), sigma=1)

# model settings
model = dict(
    head=dict(
        type='HeatmapHead',
        in_channels=512,
        out_channels=68,
        loss=dict(type='KeypointMSELoss', use_target_weight=True),
        decoder=codec))

# pipelines
train_pipeline = _base_.train_pipeline
train_pipeline[-2] = dict(type='GenerateTarget', encoder=codec)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
