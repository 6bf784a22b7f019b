# Photographs of athletes (Leeds Sports Pose Extended) with CrowdPose's 14
# keypoints; small enough for one CPU core.
_base_ = [
    'mmpose::body_2d_keypoint/topdown_heatmap/crowdpose/'
    'td-hm_res50_8xb64-210e_crowdpose-256x192.py',
    '../../../_base_/sr_runtime.py'
]
custom_imports = dict(
    imports=['srpose_mm', 'srpose_mm.engine.cpu_distributed'],
    allow_failed_imports=False)

# runtime
train_cfg = dict(max_epochs=16, val_interval=4)
randomness = dict(seed=0)
# Unlike MMEngine's default wrapper it names no GPU and so serves CPUs too.
model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None)
default_hooks = _base_.sr_hooks
custom_hooks = [dict(type='SyncBuffersHook'), dict(type='ChannelsLastHook')]

# optimizer
optim_wrapper = dict(
    optimizer=dict(
        _delete_=True, type='AdamW', lr=2e-3, weight_decay=0.01),
    paramwise_cfg=dict(
        norm_decay_mult=0.,
        bias_decay_mult=0.,
        custom_keys=dict(backbone=dict(lr_mult=0.3))))

# learning policy
param_scheduler = [
    dict(
        type='LinearLR', begin=0, end=250, start_factor=0.01, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        begin=0,
        end=16,
        eta_min=0.,
        by_epoch=True,
        convert_to_iter_based=True)
]
auto_scale_lr = dict(base_batch_size=32)

# codec settings
codec = dict(
    type='SRHeatmap',
    input_size=(128, 128),
    heatmap_size=(128, 128),
    sigma=5,
    target='keypoints',
    refine='parabola')

# model settings, channels from coarse to fine
model = dict(
    data_preprocessor=dict(mean=[127.] * 3, std=[128.] * 3),
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        model_name='tf_efficientnet_lite0',
        frozen_stages=1,
        norm_eval=True,
        pretrained=True),
    neck=dict(
        type='SRPoseNeck',
        in_channels=(320, 112, 40, 24),
        out_channels=(256, 128, 64, 32),
        num_keypoints=14),
    head=dict(
        _delete_=True,
        type='SRPoseHead',
        in_channels=(256, 128, 64, 32),
        out_channels=14,
        loss_weights=(0., 0., 0., 0., 1.),
        loss=dict(type='SeparableMSELoss', use_target_weight=True),
        decoder=codec))

# pipelines
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(
        type='RandomBBoxTransform',
        shift_prob=0.,
        scale_factor=(0.7, 1.3),
        rotate_factor=60.),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs')
]
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='PackPoseInputs')
]

# data loaders
data_root = 'data/lspet/'
train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    dataset=dict(
        data_root=data_root,
        ann_file='train.json',
        data_prefix=dict(img='images/'),
        pipeline=train_pipeline))
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        data_root=data_root,
        ann_file='val.json',
        bbox_file=None,
        data_prefix=dict(img='images/'),
        pipeline=val_pipeline))
test_dataloader = val_dataloader

# evaluators
val_evaluator = [
    dict(
        type='CocoMetric',
        ann_file=data_root + 'val.json',
        use_area=False,
        iou_type='keypoints_crowd',
        prefix='crowdpose'),
    dict(type='PCKAccuracy', thr=0.2, norm_item='bbox'),
]
test_evaluator = val_evaluator
