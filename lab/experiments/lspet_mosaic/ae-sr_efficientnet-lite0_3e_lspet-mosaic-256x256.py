# Bottom-up on mosaics of four photographs: an SR head behind SRPose's neck,
# maps as large as the input. Backbone and neck start from the top-down
# weights of this package, which were trained on the photographs of train.
_base_ = [
    '../../../configs/body_2d_keypoint/sr_head/crowdpose/'
    'ae-sr_hrnet-w32_8xb24-300e_crowdpose-512x512.py'
]
custom_imports = dict(
    imports=['srpose_mm', 'srpose_mm.engine.cpu_distributed'],
    allow_failed_imports=False)

# runtime
train_cfg = dict(max_epochs=3, val_interval=1)
randomness = dict(seed=0)
load_from = ('configs/body_2d_keypoint/srpose/lspet/'
             'td-srpose_efficientnet-lite0_1xb32-10e_lspet-160x160.safetensors')
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=1))
custom_hooks = [dict(type='SyncBuffersHook'), dict(type='ChannelsLastHook')]

# optimizer
optim_wrapper = dict(
    optimizer=dict(
        _delete_=True, type='AdamW', lr=1e-3, weight_decay=0.01),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.3))))

# learning policy
param_scheduler = [
    dict(
        type='LinearLR', begin=0, end=100, start_factor=0.01, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        begin=0,
        end=3,
        eta_min=0.,
        by_epoch=True,
        convert_to_iter_based=True)
]
auto_scale_lr = dict(base_batch_size=8)

# codec settings
input_size = (256, 256)
codec = _base_.codec
codec.update(input_size=input_size, heatmap_size=input_size, sigma=4)

# model settings
model = dict(
    data_preprocessor=dict(mean=[127.] * 3, std=[128.] * 3),
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        model_name='tf_efficientnet_lite0',
        frozen_stages=1,
        norm_eval=True),
    neck=dict(
        type='SRPoseNeck',
        in_channels=(320, 112, 40, 24),
        out_channels=(256, 128, 64, 32),
        num_keypoints=14),
    head=dict(in_channels=32, decoder=codec))

# pipelines
train_pipeline = _base_.train_pipeline
val_pipeline = _base_.val_pipeline
for step in [*train_pipeline, *val_pipeline]:
    if 'input_size' in step:
        step.update(input_size=input_size)
    if 'encoder' in step:
        step.update(encoder=codec)
del step

# data loaders
data_root = 'data/lspet_mosaic/'
train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    dataset=dict(
        data_root=data_root, ann_file='train.json', pipeline=train_pipeline))
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        data_root=data_root, ann_file='val.json', pipeline=val_pipeline))
test_dataloader = val_dataloader

# evaluators
val_evaluator = dict(ann_file=data_root + 'val.json')
test_evaluator = val_evaluator
