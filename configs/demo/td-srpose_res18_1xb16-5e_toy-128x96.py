# Small enough for two CPU cores, on the data of tools/make_toy_dataset.py.
_base_ = [
    'mmpose::body_2d_keypoint/topdown_heatmap/coco/'
    'td-hm_res50_8xb64-210e_coco-256x192.py'
]
custom_imports = dict(
    imports=['srpose_mm', 'srpose_mm.engine.cpu_distributed'],
    allow_failed_imports=False)

# runtime
train_cfg = dict(max_epochs=5, val_interval=5)
randomness = dict(seed=0)
# Unlike MMEngine's default wrapper it names no GPU and so serves CPUs too.
model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None)
default_hooks = dict(
    logger=dict(interval=20),
    checkpoint=dict(
        type='SafeCheckpointHook', interval=1, max_keep_ckpts=1),
    epoch_seed=dict(type='EpochSeedHook'),
    end_workers=dict(type='EndWorkersHook'))
custom_hooks = [dict(type='SyncBuffersHook'), dict(type='ChannelsLastHook')]

# optimizer
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=3e-3, weight_decay=1e-4))

# learning policy
param_scheduler = [
    dict(
        type='LinearLR', begin=0, end=30, start_factor=0.01, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        begin=0,
        end=5,
        eta_min=3e-5,
        by_epoch=True,
        convert_to_iter_based=True)
]
auto_scale_lr = dict(base_batch_size=16)

# codec settings
codec = dict(
    type='SRHeatmap',
    input_size=(96, 128),
    heatmap_size=(96, 128),
    sigma=6,
    target='keypoints',
    unbiased=True,
    refine='dark')

# model settings, channels from coarse to fine
model = dict(
    backbone=dict(
        depth=18,
        stem_channels=32,
        base_channels=32,
        out_indices=(0, 1, 2, 3),
        init_cfg=None),
    neck=dict(
        type='SRPoseNeck',
        in_channels=(256, 128, 64, 32),
        out_channels=(128, 64, 32, 32),
        num_keypoints=17),
    head=dict(
        _delete_=True,
        type='SRPoseHead',
        in_channels=(128, 64, 32, 32),
        out_channels=17,
        kernel_sizes=(3, 3, 5, 5),
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
        scale_factor=(0.8, 1.2),
        rotate_factor=30.),
    dict(type='TopdownAffine', input_size=(96, 128)),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs')
]
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='TopdownAffine', input_size=(96, 128)),
    dict(type='PackPoseInputs')
]

# data loaders
data_root = 'data/toy_coco/'
train_dataloader = dict(
    batch_size=16,
    # A worker process would take a core from the convolutions.
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        data_root=data_root,
        bbox_file=data_root + 'person_detection_results/'
        'COCO_val2017_detections_AP_H_56_person.json',
        pipeline=val_pipeline))
test_dataloader = val_dataloader

# evaluators
val_evaluator = dict(
    ann_file=data_root + 'annotations/person_keypoints_val2017.json')
test_evaluator = val_evaluator
