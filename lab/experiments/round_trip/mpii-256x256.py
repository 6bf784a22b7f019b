# MMPose's sample: 5 images, without the file of heads' boxes.
_base_ = [
    'mmpose::body_2d_keypoint/topdown_heatmap/mpii/'
    'td-hm_res50_8xb64-210e_mpii-256x256.py'
]

# data loaders
val_dataloader = dict(
    dataset=dict(
        data_root='data/samples/mpii/',
        ann_file='test_mpii.json',
        headbox_file=None,
        data_prefix=dict(img='')))
test_dataloader = val_dataloader
