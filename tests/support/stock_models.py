"""Stock configs of MMPose and the result of swapping their heads."""
from srpose_mm.configs import locate_config

RES50 = 'td-hm_res50_8xb64-210e_coco-256x192'
UDP = 'cspnext-tiny_udp_8xb256-210e_coco-256x192'
RTMPOSE = 'rtmpose-t_8xb256-420e_coco-256x192'
FACE = 'td-hm_hrnetv2-w18_8xb64-60e_300w-256x256'
AE = 'ae_hrnet-w32_8xb24-300e_coco-512x512'

# Stock config, scheme and what becomes of its model: the head's channels,
# deconvolutions and factor, the neck, the heatmaps' size, flip with a shift.
SR = [
    (RES50, 2048, 3, 4, None, (192, 256), True),
    (UDP, 384, 3, 4, None, (192, 256), False),
    (RTMPOSE, 384, 3, 4, None, (192, 256), True),
    (FACE, 270, 0, 4, 'FeatureMapProcessor', (256, 256), True),
    ('td-hm_hrnet-w32_udp-regress-8xb64-210e_coco-256x192', 32, 0, 4, None,
     (192, 256), False),
    ('td-reg_res50_rle-8xb64-210e_coco-256x192', 2048, 3, 4, None, (192, 256),
     True),
    ('ipr_res50_8xb64-210e_coco-256x256', 2048, 3, 4, None, (256, 256), True),
    ('simcc_res50_8xb64-210e_coco-256x192', 2048, 3, 4, None, (192, 256),
     True),
    ('simcc_vipnas-mbv3_8xb64-210e_coco-256x192', 160, 3, 4, None, (192, 256),
     True),
    ('td-hm_alexnet_8xb64-210e_coco-256x192', 256, 3, 4, None, (160, 224),
     True),
    ('td-hm_litehrnet-18_8xb64-210e_coco-256x192', 40, 0, 4, None, (192, 256),
     True),
    ('rtmw-m_8xb1024-270e_cocktail14-256x192', 768, 3, 4, 'CSPNeXtPAFPN',
     (192, 256), True),
    ('td-hm_ViTPose-small_8xb64-210e_coco-256x192', 384, 2, 4, None,
     (192, 256), False),
    ('td-hm_ViTPose-small-simple_8xb64-210e_coco-256x192', 384, 0, 4,
     'FeatureMapProcessor', (192, 256), False),
    ('td-hm_res50_8xb64-210e_coco-wholebody-256x192', 2048, 3, 4, None,
     (192, 256), True),
]
# Stock config, channels of the levels and their factors, coarse to fine.
SRPOSE = [
    (RES50, (2048, 1024, 512, 256), (8, 4, 2, 4)),
    (UDP, (384, 192, 96, 48), (8, 4, 2, 4)),
    (FACE, (144, 72, 36, 18), (8, 4, 2, 4)),
    ('td-hm_mobilenetv2_8xb64-210e_coco-256x192', (1280, 96, 32, 24),
     (8, 4, 2, 4)),
    ('td-hm_shufflenetv2_8xb64-210e_coco-256x192', (1024, 232, 116),
     (8, 4, 8)),
    ('td-hm_vgg16-bn_8xb64-210e_coco-256x192', (512, 512, 256, 128),
     (8, 4, 2, 4)),
    ('td-hm_swin-t-p4-w7_8xb32-210e_coco-256x192', (768, 384, 192, 96),
     (8, 4, 2, 4)),
    ('td-hm_pvt-s_8xb64-210e_coco-256x192', (512, 320, 128, 64),
     (8, 4, 2, 4)),
]
# Stock config, a scheme that it refuses and words of the message.
REFUSED = {
    **{
        name: ('sr', f'{head} cannot be swapped; expected one of .*HeatmapHe')
        for name, head in {
            'td-hm_cpm_8xb64-210e_coco-256x192': 'CPMHead',
            'td-hm_mspn50_8xb32-210e_coco-256x192': 'MSPNHead',
            'td-hm_vipnas-res50_8xb64-210e_coco-256x192': 'ViPNASHead',
            'td-hm-vis_res50_8xb64-210e_coco-aic-256x192-merge':
            'VisPredictHead',
            'dekr_hrnet-w32_8xb10-140e_coco-512x512': 'DEKRHead',
            'cid_hrnet-w32_8xb20-140e_coco-512x512': 'CIDHead',
            'rtmo-s_8xb32-600e_coco-640x640': 'RTMOHead',
            'yoloxpose_tiny_4xb64-300e_coco-416': 'YOLOXPoseHead',
            'internet_res50_4xb16-20e_interhand3d-256x256': 'InternetHead',
            'dwpose_l_dis_m_coco-ubody-256x192': 'DWPoseDistiller',
            'image-pose-lift_tcn_8xb64-200e_h36m': 'TemporalRegressionHead',
        }.items()
    },
    'td-hm_alexnet_8xb64-210e_coco-256x192':
    ('srpose', r'AlexNet.*two or more strides.*use scheme=\'sr\''),
    AE: ('srpose', r'top-down only.*use scheme=\'sr\''),
}

# A small stock model: ResNet-18 at 64x64.
CODEC = dict(
    type='MSRAHeatmap', input_size=(64, 64), heatmap_size=(16, 16), sigma=2)
HEAD = dict(type='HeatmapHead', in_channels=512, out_channels=17)


def write_stock_config(folder, head=HEAD, codec=CODEC, extra=''):
    """Write a small stock model to a file, and return its path."""
    path = folder / 'stock.py'
    path.write_text(f'''
_base_ = ['{locate_config(RES50)}']
model = dict(
    backbone=dict(depth=18, init_cfg=None),
    head=dict({head}, _delete_=True, decoder={codec}))
codec = dict({codec}, _delete_=True)
{extra}
''')
    return path
