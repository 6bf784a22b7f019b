_base_ = [
    'mmpose::body_2d_keypoint/topdown_heatmap/mpii/'
    'td-hm_hrnet-w32_8xb64-210e_mpii-256x256.py',
    '../../../_base_/sr_256x256.py'
]
default_hooks = _base_.sr_hooks

# codec settings
codec = _base_.sr_codec

# model settings
model = dict(
    head=dict(
        type='SRHead',
        loss=dict(type='SeparableMSELoss'),
        decoder=dict(_delete_=True, **codec)))

# pipelines
train_pipeline = _base_.sr_train_pipeline

# data loaders
train_dataloader = dict(batch_size=32, dataset=dict(pipeline=train_pipeline))

# automatically scaling LR based on the actual training batch size
auto_scale_lr = dict(base_batch_size=256)
