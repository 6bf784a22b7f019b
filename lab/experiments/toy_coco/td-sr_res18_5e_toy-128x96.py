# SR head: three deconvolutions, maps as large as the input.
_base_ = ['td-srpose_res18_5e_toy-128x96.py']

# model settings
model = dict(
    backbone=dict(out_indices=(3, )),
    neck=None,
    head=dict(
        _delete_=True,
        type='SRHead',
        in_channels=256,
        out_channels=17,
        loss=dict(type='SeparableMSELoss', use_target_weight=True),
        decoder=_base_.model.head.decoder))
