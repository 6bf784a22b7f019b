# Codec and training pipeline of the MPII recipes at 256x256.
_base_ = ['sr_runtime.py']

sr_codec = dict(
    type='SRHeatmap',
    input_size=(256, 256),
    heatmap_size=(256, 256),
    sigma=8,
    target='keypoints')

sr_train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='RandomBBoxTransform', shift_prob=0),
    dict(type='TopdownAffine', input_size=sr_codec['input_size']),
    dict(type='GenerateTarget', encoder=sr_codec),
    dict(type='PackPoseInputs')
]
