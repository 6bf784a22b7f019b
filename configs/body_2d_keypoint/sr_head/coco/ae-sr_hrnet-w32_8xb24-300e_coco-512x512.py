_base_ = [
    'mmpose::body_2d_keypoint/associative_embedding/coco/'
    'ae_hrnet-w32_8xb24-300e_coco-512x512.py'
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
    type='SRAssociativeEmbedding',
    input_size=(512, 512),
    heatmap_size=(512, 512),
    sigma=8,
    target='keypoints',
    decode_nms_kernel=11,
    decode_topk=30,
    decode_center_shift=0.0,
    decode_keypoint_order=_base_.codec.decode_keypoint_order,
    decode_max_instances=30)

# model settings; the maps have the input's size already
model = dict(
    head=dict(
        _delete_=True,
        type='SRAssociativeEmbeddingHead',
        in_channels=32,
        num_keypoints=17,
        tag_dim=1,
        deconv_out_channels=None,
        keypoint_loss=dict(type='KeypointMSELoss'),
        tag_loss=dict(type='AssociativeEmbeddingLoss', loss_weight=0.001),
        decoder=codec),
    test_cfg=dict(restore_heatmap_size=False))

# pipelines; 40 px of 512 are the translation
train_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='BottomupRandomAffine',
        input_size=(512, 512),
        shift_factor=40 / 512,
        scale_factor=(0.75, 1.5),
        rotate_factor=30.,
        distribution='uniform'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='GenerateTarget', encoder=codec),
    dict(type='BottomupGetHeatmapMask'),
    dict(type='PackPoseInputs'),
]

# data loaders
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
