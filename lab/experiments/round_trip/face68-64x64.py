# The data of lab/experiments/face68.
_base_ = ['../face68/td-hm_res18_8e_face68-64x64.py']
