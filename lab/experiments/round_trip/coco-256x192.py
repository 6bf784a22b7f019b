# MMPose's sample of val2017: 4 images.
_base_ = [
    'mmpose::body_2d_keypoint/topdown_heatmap/coco/'
    'td-hm_res50_8xb64-210e_coco-256x192.py'
]

# data loaders
data_root = 'data/samples/coco/'
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file='test_coco.json',
        bbox_file=None,
        data_prefix=dict(img='')))
test_dataloader = val_dataloader

# evaluators
val_evaluator = dict(ann_file=data_root + 'test_coco.json')
test_evaluator = val_evaluator
