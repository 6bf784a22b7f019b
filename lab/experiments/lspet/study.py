"""Heads compared on 8 500 photographs of athletes, 14 keypoints each."""
title = 'Athletes at 128x128, EfficientNet-Lite0, 4 epochs'

# The same weights are tested with and without refinement of the peaks.
refinements = {
    name: {
        'model.head.decoder.refine': name
    }
    for name in ('shift', 'none', 'dark', 'parabola')
}
stock_none = {
    'model.head.decoder.type': 'SRHeatmap',
    'model.head.decoder.refine': 'none'
}

rows = [
    dict(
        name='simple',
        config='td-hm_efficientnet-lite0_4e_lspet-128x128.py',
        seeds=(0, 1),
        tests={
            'shift': {},
            'none': stock_none
        }),
    dict(
        name='UDP and DARK',
        config='td-hm_efficientnet-lite0_udp-dark_4e_lspet-128x128.py',
        seeds=(0, 1),
        tests={
            'dark': {},
            'none': {
                **stock_none, 'model.head.decoder.use_udp': True
            }
        }),
    dict(
        name='SimCC',
        config='simcc_efficientnet-lite0_4e_lspet-128x128.py',
        seeds=(0, 1),
        tests={'none': {}}),
    dict(
        name='SR head',
        config='td-sr_efficientnet-lite0_4e_lspet-128x128.py',
        seeds=(0, 1),
        tests=refinements),
    dict(
        name='SRPose',
        config='td-srpose_efficientnet-lite0_4e_lspet-128x128.py',
        seeds=(0, 1),
        tests=refinements),
    dict(
        name='SRPose, loss of the finest map',
        config='td-srpose_efficientnet-lite0_finest-loss_4e_lspet-128x128.py',
        seeds=(0, 1),
        tests=refinements),
    dict(
        name='SRPose, low-resolution map without ReLU',
        config='td-srpose_efficientnet-lite0_linear-lr_4e_lspet-128x128.py',
        seeds=(0, ),
        tests=refinements),
]

metrics = {
    'PCK, torso': 'torso/PCK',
    'PCK, box': 'pck/PCK',
    'AP': 'crowdpose/AP',
    'EPE, px': 'EPE'
}
headline = 'PCK, torso'
