"""The faces at 128x128: for a GPU, or with patience."""
title = 'Faces at 128x128, ResNet-18, 8 epochs'

# The same weights are tested with each refinement of the peaks.
stock_none = {
    'model.head.decoder.type': 'SRHeatmap',
    'model.head.decoder.refine': 'none'
}
refinements = {
    name: {
        'model.head.decoder.refine': name
    }
    for name in ('shift', 'none', 'dark', 'parabola')
}
refinements['shift, no shift_heatmap'] = {
    'model.test_cfg.shift_heatmap': False
}

rows = [
    dict(
        name='simple',
        config='td-hm_res18_8e_face68-128x128.py',
        seeds=(0, 1, 2),
        tests={
            'shift': {},
            'none': stock_none
        }),
    dict(
        name='SR head',
        config='td-sr_res18_8e_face68-128x128.py',
        seeds=(0, 1, 2),
        tests=refinements),
    dict(
        name='SRPose',
        config='td-srpose_res18_8e_face68-128x128.py',
        seeds=(0, 1, 2),
        tests=refinements),
]

metrics = {'NME': 'NME', 'EPE, px': 'EPE', 'AUC': 'AUC'}
headline = 'NME'
lower_is_better = True
