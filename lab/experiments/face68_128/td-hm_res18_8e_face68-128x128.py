# The simple baseline, at twice the size.
_base_ = ['../face68/td-hm_res18_8e_face68-64x64.py']

# codec settings
size = (128, 128)
codec = _base_.codec
codec.update(input_size=size, heatmap_size=(32, 32), sigma=2)

# model settings
model = dict(head=dict(decoder=codec))

# pipelines
affine = dict(type='TopdownAffine', input_size=size)
train_pipeline = _base_.train_pipeline
train_pipeline[-3] = affine
train_pipeline[-2] = dict(type='GenerateTarget', encoder=codec)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_pipeline = _base_.val_pipeline
val_pipeline[-2] = affine
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
