"""Heads compared on drawn figures, top-down, in COCO's layout."""
title = 'Drawn figures at 128x96, a narrow ResNet-18, 5 epochs'

# The same weights are tested with each refinement of the peaks.
stock_none = {
    'model.head.decoder.type': 'SRHeatmap',
    'model.head.decoder.refine': 'none'
}
refinements = {
    name: {
        'model.head.decoder.refine': name
    }
    for name in ('shift', 'none', 'dark')
}

rows = [
    dict(
        name='simple',
        config='td-hm_res18_5e_toy-128x96.py',
        seeds=(0, 1),
        tests={
            'shift': {},
            'none': stock_none
        }),
    dict(
        name='UDP',
        config='td-hm_res18_udp_5e_toy-128x96.py',
        seeds=(0, 1),
        tests={
            'dark': {},
            'none': {
                **stock_none, 'model.head.decoder.use_udp': True
            }
        }),
    dict(
        name='SR head',
        config='td-sr_res18_5e_toy-128x96.py',
        seeds=(0, 1),
        tests=refinements),
    dict(
        name='SRPose',
        config='td-srpose_res18_5e_toy-128x96.py',
        seeds=(0, 1),
        tests=refinements),
]

metrics = {'AP': 'coco/AP', 'AP75': 'coco/AP .75', 'AR': 'coco/AR'}
headline = 'AP'
