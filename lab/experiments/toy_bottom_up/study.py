"""Associative embedding with maps of two sizes, on drawn figures."""
title = 'Bottom-up, drawn figures at 192x192, a narrow ResNet-18, 8 epochs'

rows = [
    dict(
        name='quarter-size maps',
        config='ae-hm_res18_8e_toy-192x192.py',
        seeds=(0, 1),
        tests={
            'maps as they are': {},
            # As MMPose decodes: from maps that are enlarged to the input.
            'resized maps': {
                'model.test_cfg.restore_heatmap_size': True,
                'model.head.decoder.heatmap_size': (192, 192),
                'model.head.decoder.sigma': 3
            }
        }),
    dict(
        name='SR head',
        config='ae-sr_res18_8e_toy-192x192.py',
        seeds=(0, 1),
        tests={'maps as they are': {}}),
]

metrics = {'AP': 'coco/AP', 'AP75': 'coco/AP .75', 'AR': 'coco/AR'}
headline = 'AP'
