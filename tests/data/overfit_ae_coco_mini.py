# Learns the people of a few COCO images by heart, bottom-up, with a small
# HRNet. DATA_ROOT names the images' folder, ANN_FILE their annotations.
_base_ = [
    '../../configs/body_2d_keypoint/sr_head/coco/'
    'ae-sr_hrnet-w32_8xb24-300e_coco-512x512.py'
]
data_root = '{{$DATA_ROOT:data/coco_mini/}}'
ann_file = '{{$ANN_FILE:person_keypoints.json}}'

# runtime
train_cfg = dict(max_epochs=150, val_interval=50)
randomness = dict(seed=0)
custom_hooks = [dict(type='SyncBuffersHook'), dict(type='ChannelsLastHook')]
default_hooks = dict(
    logger=dict(interval=2),
    checkpoint=dict(interval=50, save_best=None, max_keep_ckpts=1))
optim_wrapper = dict(optimizer=dict(lr=2e-3))
param_scheduler = [
    dict(type='LinearLR', begin=0, end=20, start_factor=0.01, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        begin=0,
        end=150,
        eta_min=2e-5,
        by_epoch=True,
        convert_to_iter_based=True)
]

# codec settings
codec = dict(
    input_size=(256, 256), heatmap_size=(256, 256), sigma=4)

# model settings
model = dict(
    backbone=dict(
        init_cfg=None,
        extra=dict(
            stage1=dict(num_blocks=(2, )),
            stage2=dict(num_blocks=(2, 2), num_channels=(16, 32)),
            stage3=dict(
                num_modules=1,
                num_blocks=(2, 2, 2),
                num_channels=(16, 32, 64)),
            stage4=dict(
                num_modules=1,
                num_blocks=(2, 2, 2, 2),
                num_channels=(16, 32, 64, 128)))),
    head=dict(in_channels=16, decoder=codec),
    test_cfg=dict(flip_test=False))

# pipelines: the whole image, without augmentation
train_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='BottomupRandomAffine',
        input_size=(256, 256),
        shift_prob=0.,
        scale_prob=0.,
        rotate_prob=0.,
        scale_type='long'),
    dict(
        type='GenerateTarget',
        encoder=dict(
            type='SRAssociativeEmbedding',
            input_size=(256, 256),
            heatmap_size=(256, 256),
            sigma=4,
            target='keypoints')),
    dict(type='BottomupGetValidMask'),
    dict(type='PackPoseInputs')
]
val_pipeline = _base_.val_pipeline
val_pipeline[1].update(input_size=(256, 256), resize_mode='fit')

# data loaders
dataset = dict(
    data_root=data_root, ann_file=ann_file, data_prefix=dict(img='images/'))
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(**dataset, pipeline=train_pipeline))
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(**dataset, pipeline=val_pipeline))
test_dataloader = val_dataloader

# evaluators
val_evaluator = dict(ann_file=ann_file)
test_evaluator = val_evaluator
