# SRPose with the loss of the finest map alone, as in the published recipe.
_base_ = ['_base_/lspet_128x128.py']
