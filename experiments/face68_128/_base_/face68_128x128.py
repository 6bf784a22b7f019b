# The faces at twice the size, for a GPU or with patience.
_base_ = ['../../face68/_base_/face68_64x64.py']

# pipelines
input_size = (128, 128)
train_pipeline = _base_.train_pipeline
train_pipeline[4].update(input_size=input_size)
val_pipeline = _base_.val_pipeline
val_pipeline[2].update(input_size=input_size)

# data loaders
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader
