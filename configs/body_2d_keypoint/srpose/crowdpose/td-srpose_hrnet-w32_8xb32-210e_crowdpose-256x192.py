_base_ = [
    '../../sr_head/crowdpose/'
    'td-sr_hrnet-w32_8xb32-210e_crowdpose-256x192.py'
]

# model settings, channels from coarse to fine
model = dict(
    backbone=dict(extra=dict(stage4=dict(multiscale_output=True))),
    neck=dict(
        type='SRPoseNeck',
        in_channels=(256, 128, 64, 32),
        out_channels=(256, 128, 64, 32),
        num_keypoints=14),
    head=dict(
        _delete_=True,
        type='SRPoseHead',
        in_channels=(256, 128, 64, 32),
        out_channels=14,
        loss=dict(type='SeparableMSELoss', use_target_weight=True),
        decoder=_base_.codec))
