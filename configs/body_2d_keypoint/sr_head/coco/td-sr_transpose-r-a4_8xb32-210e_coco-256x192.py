_base_ = ['td-sr_res50_8xb32-210e_coco-256x192.py']

# model settings; its features have stride 8
model = dict(
    backbone=dict(
        _delete_=True,
        type='TransPose',
        depth=50,
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50')),
    head=dict(
        in_channels=256,
        deconv_out_channels=(256, ),
        deconv_kernel_sizes=(4, )))
