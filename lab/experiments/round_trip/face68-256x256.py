# The faces of lab/experiments/face68 at the input size of MMPose's configs.
_base_ = ['../face68/td-hm_res18_8e_face68-64x64.py']

# codec settings
input_size = (256, 256)
codec = dict(
    type='MSRAHeatmap', input_size=input_size, heatmap_size=(64, 64), sigma=2)

# model settings
model = dict(head=dict(decoder=codec))

# pipelines
train_pipeline = _base_.train_pipeline
train_pipeline[-3] = dict(type='TopdownAffine', input_size=input_size)
train_pipeline[-2] = dict(type='GenerateTarget', encoder=codec)
val_pipeline = _base_.val_pipeline
val_pipeline[-2] = dict(type='TopdownAffine', input_size=input_size)

# data loaders
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
