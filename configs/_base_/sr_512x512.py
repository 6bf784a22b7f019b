# Codec and training pipeline of the bottom-up recipes at 512x512. Recipes add
# the NMS kernel of their backbone and the keypoint order of their dataset.
_base_ = ['sr_runtime.py']

sr_codec = dict(
    type='SRAssociativeEmbedding',
    input_size=(512, 512),
    heatmap_size=(512, 512),
    sigma=8,
    target='keypoints',
    decode_topk=30,
    decode_center_shift=0.,
    decode_max_instances=30)

sr_train_pipeline = [
    dict(type='LoadImage'),
    dict(
        type='BottomupRandomAffine',
        input_size=sr_codec['input_size'],
        shift_factor=40 / 512,  # 40 px
        scale_factor=(0.75, 1.5),
        rotate_factor=30.,
        distribution='uniform'),
    dict(type='RandomFlip', direction='horizontal'),
    dict(type='GenerateTarget', encoder=sr_codec),
    dict(type='BottomupGetValidMask'),
    dict(type='PackPoseInputs')
]
