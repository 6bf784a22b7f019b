# SR head: the simple baseline's deconvolutions, maps as large as the input.
_base_ = ['_base_/lspet_128x128.py']

# model settings
model = dict(
    backbone=dict(out_indices=(4, )),
    neck=None,
    head=dict(
        _delete_=True,
        type='SRHead',
        in_channels=320,
        out_channels=14,
        loss=dict(type='SeparableMSELoss', use_target_weight=True),
        decoder=_base_.codec))
