"""Heads compared on MPII: its training and validation people."""
title = 'MPII val, 256x256'
gpus = 8
check_data = True

# The same weights are tested with and without refinement of the peaks.
refinements = {
    name: {
        'model.head.decoder.refine': name
    }
    for name in ('shift', 'none')
}
stock = {
    'shift': {},
    'none': {
        'model.head.decoder.type': 'SRHeatmap',
        'model.head.decoder.refine': 'none'
    }
}


def row(name, config, tests):
    return dict(name=name, config=config, seeds=(0, ), tests=tests)


rows = [
    row('ResNet-50, simple', 'td-hm_res50_8xb64-210e_mpii-256x256', stock),
    row('ResNet-50, SR head', 'td-sr_res50_8xb32-210e_mpii-256x256',
        refinements),
    row('ResNet-50, SRPose', 'td-srpose_res50_8xb32-210e_mpii-256x256',
        refinements),
    row('HRNet-W32, simple', 'td-hm_hrnet-w32_8xb64-210e_mpii-256x256.py',
        stock),
    row('HRNet-W32, SR head', 'td-sr_hrnet-w32_8xb32-210e_mpii-256x256',
        refinements),
    row('HRNet-W32, SRPose', 'td-srpose_hrnet-w32_8xb32-210e_mpii-256x256',
        refinements),
]

metrics = {
    'PCKh@0.5': 'PCK',
    'PCKh@0.1': 'PCK@0.1',
    'head': 'Head PCK',
    'shoulder': 'Shoulder PCK',
    'elbow': 'Elbow PCK',
    'wrist': 'Wrist PCK',
    'hip': 'Hip PCK',
    'knee': 'Knee PCK',
    'ankle': 'Ankle PCK',
}
headline = 'PCKh@0.5'
