_base_ = [
    'mmpose::body_2d_keypoint/topdown_heatmap/coco/'
    'td-hm_hrformer-small_8xb32-210e_coco-256x192.py',
    '../../../_base_/sr_256x192.py'
]
default_hooks = _base_.sr_hooks

# optimizer
optim_wrapper = dict(type='AmpOptimWrapper', loss_scale='dynamic')

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
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
