# The loss of the finest map alone: no level before it is supervised.
_base_ = ['td-srpose_res18_8e_face68-64x64.py']

# model settings
model = dict(head=dict(loss_weights=(0., 0., 0., 0., 1.)))
