# Convolutions start as PyTorch has them, not from N(0, 0.001): behind each
# other, two of those hand on almost nothing.
_base_ = ['../toy_coco/td-sr_res18_5e_toy-128x96.py']

# model settings
model = dict(
    head=dict(
        init_cfg=[
            dict(type='Normal', layer='ConvTranspose2d', std=0.001),
            dict(type='Constant', layer='BatchNorm2d', val=1)
        ]))
