# SRPose: coarse to fine from four stages, no deconvolution.
_base_ = ['_base_/face68_64x64.py']

# codec settings
codec = dict(
    type='SRHeatmap', input_size=(64, 64), sigma=4, target='keypoints')

# model settings, channels from coarse to fine
model = dict(
    backbone=dict(out_indices=(0, 1, 2, 3)),
    neck=dict(
        type='SRPoseNeck',
        in_channels=(512, 256, 128, 64),
        out_channels=(256, 128, 64, 32),
        num_keypoints=68),
    head=dict(
        type='SRPoseHead',
        in_channels=(256, 128, 64, 32),
        out_channels=68,
        loss=dict(type='SeparableMSELoss', use_target_weight=True),
        decoder=codec))

# pipelines
train_pipeline = _base_.train_pipeline
train_pipeline[-2] = dict(type='GenerateTarget', encoder=codec)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
