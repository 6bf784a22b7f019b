# Gaussians around where a keypoint is, not around the nearest cell.
_base_ = ['../toy_coco/td-srpose_res18_5e_toy-128x96.py']

# codec settings
codec = _base_.codec
codec.update(unbiased=True)

# model settings
model = dict(head=dict(decoder=codec))

# pipelines
train_pipeline = _base_.train_pipeline
train_pipeline[-2] = dict(type='GenerateTarget', encoder=codec)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
