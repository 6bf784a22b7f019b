_base_ = ['../../sr_head/mpii/td-sr_hrnet-w32_8xb32-210e_mpii-256x256.py']

# model settings, channels from coarse to fine
model = dict(
    backbone=dict(extra=dict(stage4=dict(multiscale_output=True))),
    neck=dict(
        type='SRPoseNeck',
        in_channels=(256, 128, 64, 32),
        out_channels=(256, 128, 64, 32),
        num_keypoints=16),
    head=dict(
        _delete_=True,
        type='SRPoseHead',
        in_channels=(256, 128, 64, 32),
        out_channels=16,
        loss=dict(type='SeparableMSELoss', use_target_weight=True),
        decoder=_base_.codec))
