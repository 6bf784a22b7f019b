"""Changes that the paper does not have, on drawn figures."""
title = 'SRPose and SR head changed, drawn figures at 128x96, 5 epochs'

# The same weights are tested with each refinement of the peaks.
tests = {
    name: {
        'model.head.decoder.refine': name
    }
    for name in ('shift', 'none', 'dark', 'parabola')
}
tests['shift, no shift_heatmap'] = {'model.test_cfg.shift_heatmap': False}

configs = {
    'SRPose': '../toy_coco/td-srpose_res18_5e_toy-128x96.py',
    'unbiased targets': 'td-srpose_res18_unbiased_5e_toy-128x96.py',
    'larger kernels': 'td-srpose_res18_large-kernels_5e_toy-128x96.py',
    'loss of the finest map': 'td-srpose_res18_finest-loss_5e_toy-128x96.py',
    'loss of all maps': 'td-srpose_res18_lr-loss_5e_toy-128x96.py',
    'EMA': 'td-srpose_res18_ema_5e_toy-128x96.py',
    'SR head': '../toy_coco/td-sr_res18_5e_toy-128x96.py',
    'SR head, default init': 'td-sr_res18_default-init_5e_toy-128x96.py',
}
rows = [
    dict(name=name, config=config, seeds=(0, 1), tests=tests)
    for name, config in configs.items()
]

metrics = {'AP': 'coco/AP', 'AP75': 'coco/AP .75', 'AR': 'coco/AR'}
headline = 'AP'
