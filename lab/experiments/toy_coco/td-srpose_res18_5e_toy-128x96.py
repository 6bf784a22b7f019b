# The demo's model with the codec of the full-size configs.
_base_ = ['../../../configs/demo/td-srpose_res18_1xb16-5e_toy-128x96.py']

# codec settings
codec = _base_.codec
codec.update(unbiased=False, refine='shift')

# model settings
model = dict(head=dict(decoder=codec))

# pipelines
train_pipeline = _base_.train_pipeline
train_pipeline[-2] = dict(type='GenerateTarget', encoder=codec)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
