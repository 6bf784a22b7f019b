"""Bottom-up heads compared on mosaics of four photographs."""
title = 'Mosaics of four athletes at 256x256, EfficientNet-Lite0, 3 epochs'

rows = [
    dict(
        name='SRPose neck, stock head',
        config='ae-hm_efficientnet-lite0_3e_lspet-mosaic-256x256.py',
        seeds=(0, ),
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
        name='SRPose neck, SR head',
        config='ae-sr_efficientnet-lite0_3e_lspet-mosaic-256x256.py',
        seeds=(0, ),
        tests={'maps as they are': {}}),
]

metrics = {'AP': 'crowdpose/AP', 'AP .5': 'crowdpose/AP .5'}
headline = 'AP'
