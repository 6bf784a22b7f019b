"""Heads compared on 3 462 photographs of faces, 68 points each."""
title = 'Faces at 64x64, ResNet-18, 8 epochs'

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
        config='td-hm_res18_8e_face68-64x64.py',
        seeds=(0, 1),
        tests={
            'shift': {},
            'none': stock_none
        }),
    dict(
        name='SR head',
        config='td-sr_res18_8e_face68-64x64.py',
        seeds=(0, 1),
        tests=refinements),
    dict(
        name='SRPose',
        config='td-srpose_res18_8e_face68-64x64.py',
        seeds=(0, 1),
        tests=refinements),
    dict(
        name='SRPose, loss of the finest map',
        config='td-srpose_res18_finest-loss_8e_face68-64x64.py',
        seeds=(0, 1),
        tests=refinements),
    dict(
        name='UDP',
        config='td-hm_res18_udp_8e_face68-64x64.py',
        seeds=(0, 1),
        tests={
            'dark': {},
            'none': {
                **stock_none, 'model.head.decoder.use_udp': True
            }
        }),
    dict(
        name='DARK',
        config='td-hm_res18_dark_8e_face68-64x64.py',
        seeds=(0, 1),
        tests={
            'dark': {},
            'none': stock_none
        }),
    dict(
        name='SimCC',
        config='simcc_res18_8e_face68-64x64.py',
        seeds=(0, 1),
        tests={'none': {}}),
]

metrics = {'NME': 'NME', 'EPE, px': 'EPE', 'AUC': 'AUC'}
headline = 'NME'
lower_is_better = True
