_base_ = [
    'mmpose::body_2d_keypoint/associative_embedding/coco/'
    'ae_hrnet-w32_8xb24-300e_coco-512x512.py',
    '../../../_base_/sr_512x512.py'
]
default_hooks = _base_.sr_hooks

# codec settings
codec = dict(
    **_base_.sr_codec,
    decode_nms_kernel=11,
    decode_keypoint_order=_base_.codec.decode_keypoint_order)

# model settings; the heatmaps have the size of the input already
model = dict(
    head=dict(
        _delete_=True,
        type='SRAssociativeEmbeddingHead',
        in_channels=32,
        num_keypoints=17,
        deconv_out_channels=None,
        keypoint_loss=dict(type='KeypointMSELoss'),
        tag_loss=dict(type='AssociativeEmbeddingLoss', loss_weight=0.001),
        decoder=codec),
    test_cfg=dict(restore_heatmap_size=False))

# pipelines
train_pipeline = _base_.sr_train_pipeline

# data loaders
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
