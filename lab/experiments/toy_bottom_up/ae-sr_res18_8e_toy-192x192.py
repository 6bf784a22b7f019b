# Bottom-up: an SR head behind three deconvolutions, maps of the input's size.
_base_ = [
    '../../../configs/body_2d_keypoint/sr_head/coco/'
    'ae-sr_res50_8xb24-300e_coco-512x512.py'
]
custom_imports = dict(
    imports=['srpose_mm', 'srpose_mm.engine.cpu_distributed'],
    allow_failed_imports=False)

# runtime
max_epochs = 8
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
randomness = dict(seed=0)
default_hooks = dict(
    logger=dict(interval=20), checkpoint=dict(interval=1, max_keep_ckpts=1))
custom_hooks = [dict(type='SyncBuffersHook'), dict(type='ChannelsLastHook')]

# optimizer
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type='AdamW', lr=3e-3, weight_decay=1e-4))

# learning policy
param_scheduler = [
    dict(
        type='LinearLR', begin=0, end=50, start_factor=0.01, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        begin=0,
        end=max_epochs,
        eta_min=3e-5,
        by_epoch=True,
        convert_to_iter_based=True)
]
auto_scale_lr = dict(base_batch_size=8)

# codec settings
input_size = (192, 192)
codec = _base_.codec
codec.update(input_size=input_size, heatmap_size=input_size, sigma=3)

# model settings
model = dict(
    backbone=dict(
        depth=18, stem_channels=32, base_channels=32, init_cfg=None),
    head=dict(
        in_channels=256,
        deconv_out_channels=(64, 64, 64),
        kernel_size=5,
        decoder=codec))

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
data_root = 'data/toy_coco/'
train_dataloader = dict(
    batch_size=8,
    # A worker process would take a core from the convolutions.
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=data_root, pipeline=train_pipeline))
val_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(data_root=data_root, pipeline=val_pipeline))
test_dataloader = val_dataloader

# evaluators
val_evaluator = dict(
    ann_file=data_root + 'annotations/person_keypoints_val2017.json')
test_evaluator = val_evaluator
