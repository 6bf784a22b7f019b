# Data, backbone, schedule and metrics of all models of the study.
_base_ = ['mmpose::_base_/default_runtime.py']
custom_imports = dict(
    imports=['srpose_mm', 'srpose_mm.engine.cpu_distributed'],
    allow_failed_imports=False)

# runtime
max_epochs = 8
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=max_epochs)
randomness = dict(seed=0)
default_hooks = dict(
    logger=dict(interval=20),
    checkpoint=dict(
        type='SafeCheckpointHook', interval=1, max_keep_ckpts=1),
    epoch_seed=dict(type='EpochSeedHook'),
    end_workers=dict(type='EndWorkersHook'))
custom_hooks = [dict(type='SyncBuffersHook'), dict(type='ChannelsLastHook')]

# optimizer
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-4))

# learning policy
param_scheduler = [
    dict(
        type='LinearLR', begin=0, end=100, start_factor=0.01, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        begin=0,
        end=max_epochs,
        eta_min=2e-5,
        by_epoch=True,
        convert_to_iter_based=True)
]
auto_scale_lr = dict(base_batch_size=32)

# model settings
model = dict(
    type='TopdownPoseEstimator',
    data_preprocessor=dict(
        type='PoseDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True),
    backbone=dict(type='ResNet', depth=18),
    test_cfg=dict(flip_test=True, flip_mode='heatmap', shift_heatmap=True))

# pipelines
input_size = (64, 64)
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(
        type='RandomBBoxTransform',
        shift_prob=0,
        scale_factor=(0.8, 1.2),
        rotate_factor=30),
    dict(type='TopdownAffine', input_size=input_size),
    dict(type='GenerateTarget', encoder=None),
    dict(type='PackPoseInputs')
]
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='TopdownAffine', input_size=input_size),
    dict(type='PackPoseInputs')
]

# data loaders
dataset = dict(
    type='CocoDataset',
    data_root='data/face68/',
    data_mode='topdown',
    data_prefix=dict(img='images/'),
    metainfo=dict(from_file='configs/_base_/datasets/300w.py'))
train_dataloader = dict(
    batch_size=32,
    # A worker process would take a core from the convolutions.
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        **dataset, ann_file='train.json', pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=32,
    num_workers=0,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        **dataset,
        ann_file='val.json',
        test_mode=True,
        pipeline=val_pipeline))
test_dataloader = val_dataloader

# evaluators: NME in distances between the outer corners of the eyes, EPE in
# px of the photographs, AUC up to 10 of them
val_evaluator = [
    dict(type='NME', norm_mode='keypoint_distance'),
    dict(type='EPE'),
    dict(type='AUC', norm_factor=10)
]
test_evaluator = val_evaluator
