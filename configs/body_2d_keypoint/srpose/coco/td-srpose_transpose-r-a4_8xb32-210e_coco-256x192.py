_base_ = [
    '../../sr_head/coco/td-sr_transpose-r-a4_8xb32-210e_coco-256x192.py'
]

# model settings, channels from coarse to fine
model = dict(
    backbone=dict(out_indices=(0, 1)),
    neck=dict(
        type='SRPoseNeck',
        in_channels=(256, 256),
        out_channels=(256, 128),
        num_keypoints=17),
    head=dict(
        _delete_=True,
        type='SRPoseHead',
        in_channels=(256, 128),
        out_channels=17,
        loss=dict(type='SeparableMSELoss', use_target_weight=True),
        decoder=_base_.codec))
