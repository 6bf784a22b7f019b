# The kernels of the configs for COCO, which the small input does without.
_base_ = ['../toy_coco/td-srpose_res18_5e_toy-128x96.py']

# model settings
model = dict(head=dict(kernel_sizes=(3, 5, 7, 9)))
