_base_ = [
    'mmpose::body_2d_keypoint/topdown_heatmap/mpii/'
    'td-hm_hrnet-w32_8xb64-210e_mpii-256x256.py'
]
custom_imports = dict(imports=['srpose_mm'], allow_failed_imports=False)

# hooks
default_hooks = dict(
    checkpoint=dict(type='SafeCheckpointHook'),
    epoch_seed=dict(type='EpochSeedHook'),
    end_workers=dict(type='EndWorkersHook'),
    check_dataset=dict(type='CheckDatasetHook'))

# codec settings
codec = dict(
    type='SRHeatmap',
    input_size=(256, 256),
    heatmap_size=(256, 256),
    sigma=8,
    target='keypoints')

# model settings
model = dict(
    head=dict(
        type='SRHead', loss=dict(type='SeparableMSELoss'), decoder=codec))

# pipelines
train_pipeline = _base_.train_pipeline
train_pipeline[-2] = dict(type='GenerateTarget', encoder=codec)

# data loaders
train_dataloader = dict(batch_size=32, dataset=dict(pipeline=train_pipeline))

# automatically scaling LR based on the actual training batch size
auto_scale_lr = dict(base_batch_size=256)
