# SimCC: two classifications over half pixels.
_base_ = ['_base_/lspet_128x128.py']

# codec settings, sigma as MMPose's at 192 px, in the same proportion
codec = dict(
    type='SimCCLabel',
    input_size=(128, 128),
    sigma=4,
    simcc_split_ratio=2)

# model settings
model = dict(
    backbone=dict(out_indices=(4, )),
    neck=None,
    head=dict(
        _delete_=True,
        type='SimCCHead',
        in_channels=320,
        out_channels=14,
        input_size=codec['input_size'],
        in_featuremap_size=(4, 4),
        simcc_split_ratio=codec['simcc_split_ratio'],
        loss=dict(type='KLDiscretLoss', use_target_weight=True),
        decoder=codec),
    test_cfg=dict(_delete_=True, flip_test=True))

# pipelines
train_pipeline = _base_.train_pipeline
train_pipeline[-2] = dict(type='GenerateTarget', encoder=codec)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
