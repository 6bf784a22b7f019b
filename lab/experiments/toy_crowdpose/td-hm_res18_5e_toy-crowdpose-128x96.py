# The simple baseline: three deconvolutions, maps at a quarter of the input.
_base_ = ['td-sr_res18_5e_toy-crowdpose-128x96.py']

# codec settings, sigma in the same proportion to the input
msra = dict(
    type='MSRAHeatmap',
    input_size=(96, 128),
    heatmap_size=(24, 32),
    sigma=1.5)

# model settings
model = dict(
    head=dict(
        _delete_=True,
        type='HeatmapHead',
        in_channels=256,
        out_channels=14,
        loss=dict(type='KeypointMSELoss', use_target_weight=True),
        decoder=msra))

# pipelines
train_pipeline = _base_.train_pipeline
train_pipeline[-2] = dict(type='GenerateTarget', encoder=msra)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
