_base_ = [
    '../../sr_head/crowdpose/'
    'td-sr_res50_8xb32-210e_crowdpose-256x192.py'
]

# model settings, channels from coarse to fine
model = dict(
    backbone=dict(out_indices=(0, 1, 2, 3)),
    neck=dict(
        type='SRPoseNeck',
        in_channels=(2048, 1024, 512, 256),
        out_channels=(256, 128, 64, 32),
        num_keypoints=14),
    head=dict(
        _delete_=True,
        type='SRPoseHead',
        in_channels=(256, 128, 64, 32),
        out_channels=14,
        loss=dict(type='SeparableMSELoss', use_target_weight=True),
        decoder=_base_.codec))
