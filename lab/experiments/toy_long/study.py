"""Do heads that learn slowly catch up? Four times the epochs of toy_coco."""
title = 'Drawn figures at 128x96, a narrow ResNet-18, 20 epochs'

epochs = 20
cfg_options = {
    'train_cfg.max_epochs': epochs,
    'train_cfg.val_interval': epochs,
    'param_scheduler.1.end': epochs
}

# The same weights are tested with each refinement of the peaks.
refinements = {
    name: {
        'model.head.decoder.refine': name
    }
    for name in ('shift', 'none', 'dark', 'parabola')
}

rows = [
    dict(
        name='simple',
        config='../toy_coco/td-hm_res18_5e_toy-128x96.py',
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
        config='../toy_coco/td-sr_res18_5e_toy-128x96.py',
        seeds=(0, 1),
        tests=refinements),
    dict(
        name='SRPose',
        config='../toy_coco/td-srpose_res18_5e_toy-128x96.py',
        seeds=(0, ),
        tests=refinements),
]

metrics = {'AP': 'coco/AP', 'AP75': 'coco/AP .75', 'AR': 'coco/AR'}
headline = 'AP'
