# The low-resolution map counts as much as each of the levels.
_base_ = ['../toy_coco/td-srpose_res18_5e_toy-128x96.py']

# model settings
model = dict(head=dict(loss_weights=(1., 1., 1., 1., 1.)))
