# SRPose for the 14 keypoints of CrowdPose.
_base_ = ['../toy_coco/td-srpose_res18_5e_toy-128x96.py']

# hooks
default_hooks = dict(checkpoint=dict(save_best='crowdpose/AP'))

# model settings
model = dict(neck=dict(num_keypoints=14), head=dict(out_channels=14))

# base dataset settings
dataset_type = 'CrowdPoseDataset'
data_root = 'data/toy_crowdpose/'

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
        bbox_file=data_root + 'annotations/det_for_crowd_test_0.1_0.5.json',
        data_prefix=dict(img='images/')))
test_dataloader = val_dataloader

# evaluators
val_evaluator = dict(
    ann_file=data_root + 'annotations/mmpose_crowdpose_test.json',
    use_area=False,
    iou_type='keypoints_crowd',
    prefix='crowdpose')
test_evaluator = val_evaluator
