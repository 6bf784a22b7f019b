# SRPose with what won in docs/results.md, "Changes that the paper does not
# have": the loss of the finest map alone, peaks refined by a parabola.
_base_ = ['td-srpose_hrnet-w32_8xb32-210e_coco-256x192.py']

# codec settings
codec = dict(refine='parabola')

# model settings
model = dict(
    head=dict(loss_weights=(0., 0., 0., 0., 1.), decoder=codec))

# pipelines
train_pipeline = _base_.train_pipeline
train_pipeline[-2].encoder.update(codec)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
