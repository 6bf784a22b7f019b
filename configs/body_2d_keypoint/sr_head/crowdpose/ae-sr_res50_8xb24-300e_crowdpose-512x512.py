_base_ = ['ae-sr_hrnet-w32_8xb24-300e_crowdpose-512x512.py']

# codec settings
codec = dict(decode_nms_kernel=5)

# model settings
model = dict(
    backbone=dict(
        _delete_=True,
        type='ResNet',
        depth=50,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50')),
    head=dict(
        in_channels=2048,
        deconv_out_channels=(256, 256, 256),
        deconv_kernel_sizes=(4, 4, 4),
        decoder=codec))
