# MMPose's sample: 2 images.
_base_ = [
    'mmpose::body_2d_keypoint/topdown_heatmap/crowdpose/'
    'td-hm_res50_8xb64-210e_crowdpose-256x192.py'
]

# data loaders
data_root = 'data/samples/crowdpose/'
val_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        ann_file='test_crowdpose.json',
        bbox_file=None,
        data_prefix=dict(img='')))
test_dataloader = val_dataloader

# evaluators
val_evaluator = dict(ann_file=data_root + 'test_crowdpose.json')
test_evaluator = val_evaluator
