# 28 images of train2017.
_base_ = ['coco-256x192.py']

# data loaders
data_root = 'data/samples/coco_mini/'
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file='person_keypoints.json',
        data_prefix=dict(img='images/')))
test_dataloader = val_dataloader

# evaluators
val_evaluator = dict(ann_file=data_root + 'person_keypoints.json')
test_evaluator = val_evaluator
