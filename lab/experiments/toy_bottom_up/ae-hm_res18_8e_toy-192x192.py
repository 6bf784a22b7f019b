# Bottom-up at a quarter of the input: the same head without upsampling.
_base_ = ['ae-sr_res18_8e_toy-192x192.py']

# codec settings, sigma in the same proportion to the input
codec = _base_.codec
codec.update(heatmap_size=(48, 48), sigma=0.75)

# model settings
model = dict(head=dict(upscale_factor=1, decoder=codec))

# pipelines
train_pipeline = _base_.train_pipeline
for step in train_pipeline:
    if 'encoder' in step:
        step.update(encoder=codec)
del step
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
