# Learns the 86 people of 28 COCO images by heart, to show that the whole path
# from annotation to AP works on real images. DATA_ROOT names their folder.
_base_ = ['../../configs/demo/td-srpose_res18_1xb16-5e_toy-128x96.py']

data_root = '{{$DATA_ROOT:data/coco_mini/}}'

train_cfg = dict(max_epochs=150, val_interval=30)
default_hooks = dict(checkpoint=dict(interval=30))
optim_wrapper = dict(optimizer=dict(lr=2e-3, weight_decay=0.))
param_scheduler = [
    dict(
        type='LinearLR', begin=0, end=100, start_factor=0.01, by_epoch=False),
    dict(
        type='CosineAnnealingLR',
        begin=0,
        end=150,
        eta_min=2e-5,
        by_epoch=True,
        convert_to_iter_based=True)
]

# No post-processing: the highest cell is the keypoint.
codec = dict(unbiased=False, refine='none')
model = dict(
    head=dict(decoder=dict(unbiased=False, refine='none')),
    test_cfg=dict(flip_test=False))

# The crops as they are, without augmentation.
train_pipeline = [
    dict(type='LoadImage'),
    dict(type='GetBBoxCenterScale'),
    dict(type='TopdownAffine', input_size=(96, 128)),
    dict(
        type='GenerateTarget',
        encoder=dict(
            type='SRHeatmap',
            input_size=(96, 128),
            heatmap_size=(96, 128),
            sigma=6,
            target='keypoints')),
    dict(type='PackPoseInputs')
]
dataset = dict(
    data_root=data_root,
    ann_file='person_keypoints.json',
    data_prefix=dict(img='images/'))
train_dataloader = dict(dataset=dict(**dataset, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(**dataset, bbox_file=None))
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + 'person_keypoints.json')
test_evaluator = val_evaluator
