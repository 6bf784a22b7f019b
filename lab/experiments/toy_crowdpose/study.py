"""Heads compared on drawn figures, top-down, in CrowdPose's layout."""
title = 'Drawn figures as CrowdPose, 128x96, a narrow ResNet-18, 5 epochs'

refinements = {
    name: {
        'model.head.decoder.refine': name
    }
    for name in ('shift', 'none')
}

rows = [
    dict(
        name='simple',
        config='td-hm_res18_5e_toy-crowdpose-128x96.py',
        seeds=(0, 1),
        tests={
            'shift': {},
            'none': {
                'model.head.decoder.type': 'SRHeatmap',
                'model.head.decoder.refine': 'none'
            }
        }),
    dict(
        name='SR head',
        config='td-sr_res18_5e_toy-crowdpose-128x96.py',
        seeds=(0, 1),
        tests=refinements),
    dict(
        name='SRPose',
        config='td-srpose_res18_5e_toy-crowdpose-128x96.py',
        seeds=(0, 1),
        tests=refinements),
]

metrics = {
    'AP': 'crowdpose/AP',
    'AP75': 'crowdpose/AP .75',
    'AR': 'crowdpose/AR'
}
headline = 'AP'
