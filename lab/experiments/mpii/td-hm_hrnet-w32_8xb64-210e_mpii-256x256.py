# MMPose's, with the batch that its name and its auto_scale_lr say; it has 16.
_base_ = [
    'mmpose::body_2d_keypoint/topdown_heatmap/mpii/'
    'td-hm_hrnet-w32_8xb64-210e_mpii-256x256.py'
]

# data loaders
train_dataloader = dict(batch_size=64)
