_base_ = ['td-srpose_res50_8xb32-210e_coco-256x192.py']

# model settings, channels from coarse to fine
model = dict(
    data_preprocessor=dict(mean=[127.] * 3, std=[128.] * 3),
    backbone=dict(
        _delete_=True,
        type='TimmBackbone',
        model_name='tf_efficientnet_lite0',
        pretrained=True),
    neck=dict(in_channels=(320, 112, 40, 24)))
