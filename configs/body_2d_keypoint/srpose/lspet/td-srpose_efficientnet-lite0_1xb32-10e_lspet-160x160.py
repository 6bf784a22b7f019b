# The 128x128 model goes on at 160x160, with the loss of every map.
_base_ = ['./td-srpose_efficientnet-lite0_1xb32-16e_lspet-128x128.py']

# runtime
load_from = ('work_dirs/td-srpose_efficientnet-lite0_1xb32-16e_lspet-128x128/'
             'epoch_16.pth')
train_cfg = dict(max_epochs=10, val_interval=2)

# optimizer
optim_wrapper = dict(optimizer=dict(lr=1e-3))

# learning policy
param_scheduler = [
    dict(
        type='LinearLR', begin=0, end=250, start_factor=0.01, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        begin=0,
        end=10,
        eta_min=0.,
        by_epoch=True,
        convert_to_iter_based=True)
]

# codec settings
codec = _base_.codec
codec.update(input_size=(160, 160), heatmap_size=(160, 160), sigma=6)

# model settings
model = dict(head=dict(loss_weights=None, decoder=codec))

# pipelines
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomHalfBody', prob=0.2),
    dict(
        type='RandomBBoxTransform',
        shift_factor=0.1,
        shift_prob=0.3,
        scale_factor=(0.7, 1.3),
        rotate_factor=60.),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='PhotometricDistortion'),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs')
]
# With a smaller crop than in training, 1.25, PCK is higher.
val_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale', padding=1.1),
    dict(type='TopdownAffine', input_size=codec['input_size']),
    dict(type='PackPoseInputs')
]

# data loaders
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
