# The loss of the finest map alone: no level before it is supervised.
_base_ = ['../toy_coco/td-srpose_res18_5e_toy-128x96.py']

# model settings
model = dict(head=dict(loss_weights=(0., 0., 0., 0., 1.)))
