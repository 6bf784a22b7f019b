"""Associative embedding with maps of two sizes, on drawn figures."""
title = 'Bottom-up, drawn figures at 256x256, a narrow ResNet-18, 10 epochs'

rows = [
    dict(
        name='quarter-size maps',
        config='ae-hm_res18_10e_toy-256x256.py',
        seeds=(0, 1),
        tests={
            'maps as they are': {},
            # As MMPose decodes: from maps that are enlarged to the input.
            'resized maps': {
                'model.test_cfg.restore_heatmap_size': True,
                'model.head.decoder.heatmap_size': (256, 256),
                'model.head.decoder.sigma': 4
            }
        }),
    dict(
        name='SR head',
        config='ae-sr_res18_10e_toy-256x256.py',
        seeds=(0, 1),
        tests={'maps as they are': {}}),
]

metrics = {'AP': 'coco/AP', 'AP75': 'coco/AP .75', 'AR': 'coco/AR'}
headline = 'AP'
