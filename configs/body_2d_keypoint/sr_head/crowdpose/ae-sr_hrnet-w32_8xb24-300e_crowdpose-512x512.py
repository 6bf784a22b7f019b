_base_ = ['../coco/ae-sr_hrnet-w32_8xb24-300e_coco-512x512.py']

# hooks
default_hooks = dict(checkpoint=dict(save_best='crowdpose/AP', rule='greater'))

# codec settings
codec = dict(
    decode_keypoint_order=[12, 13, 0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11])

# model settings
model = dict(head=dict(num_keypoints=14, decoder=codec))

# base dataset settings
dataset_type = 'CrowdPoseDataset'
data_root = 'data/crowdpose/'

# data loaders
train_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/mmpose_crowdpose_trainval.json',
        data_prefix=dict(img='images/')))
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='annotations/mmpose_crowdpose_test.json',
        data_prefix=dict(img='images/')))
test_dataloader = val_dataloader

# evaluators
val_evaluator = dict(
    ann_file=data_root + 'annotations/mmpose_crowdpose_test.json',
    use_area=False,
    iou_type='keypoints_crowd',
    prefix='crowdpose')
test_evaluator = val_evaluator
