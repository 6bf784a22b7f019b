# DARK: unbiased targets and its refinement of the peaks.
_base_ = ['td-hm_res18_8e_face68-64x64.py']

# codec settings
codec = dict(
    type='MSRAHeatmap',
    input_size=(64, 64),
    heatmap_size=(16, 16),
    sigma=1,
    unbiased=True,
    blur_kernel_size=5)

# model settings
model = dict(head=dict(decoder=codec))

# pipelines
train_pipeline = _base_.train_pipeline
train_pipeline[-2] = dict(type='GenerateTarget', encoder=codec)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
