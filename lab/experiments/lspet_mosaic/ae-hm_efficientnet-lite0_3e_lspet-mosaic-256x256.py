# MMPose's own head and codec behind the same neck, maps at a quarter of the
# input.
_base_ = ['ae-sr_efficientnet-lite0_3e_lspet-mosaic-256x256.py']
custom_imports = dict(
    imports=[
        'srpose_mm', 'srpose_mm.engine.cpu_distributed',
        'lab.experiments.lspet_mosaic.modules'
    ],
    allow_failed_imports=False)

# codec settings
codec = dict(
    type='PackedAssociativeEmbedding',
    input_size=(256, 256),
    heatmap_size=(64, 64),
    sigma=1,
    decode_keypoint_order=_base_.codec.decode_keypoint_order,
    decode_max_instances=30)

# model settings
model = dict(
    head=dict(
        _delete_=True,
        type='AssociativeEmbeddingHead',
        in_channels=32,
        num_keypoints=14,
        deconv_out_channels=None,
        keypoint_loss=dict(type='MaskedMSELoss'),
        tag_loss=dict(type='AssociativeEmbeddingLoss', loss_weight=0.001),
        decoder=codec))

# pipelines
train_pipeline = _base_.train_pipeline
train_pipeline[-3] = dict(type='GenerateTarget', encoder=codec)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
