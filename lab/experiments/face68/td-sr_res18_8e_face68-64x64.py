# SR head: the simple baseline's deconvolutions, maps as large as the input.
_base_ = ['_base_/face68_64x64.py']

# codec settings
codec = dict(
    type='SRHeatmap', input_size=(64, 64), sigma=4, target='keypoints')

# model settings
model = dict(
    head=dict(
        type='SRHead',
        in_channels=512,
        out_channels=68,
        loss=dict(type='SeparableMSELoss', use_target_weight=True),
        decoder=codec))

# pipelines
train_pipeline = _base_.train_pipeline
train_pipeline[-2] = dict(type='GenerateTarget', encoder=codec)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
