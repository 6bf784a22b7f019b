# Imports and hooks of all recipes. MMPose's bases own `default_hooks`, so a
# recipe writes `default_hooks = _base_.sr_hooks`.
custom_imports = dict(imports=['srpose_mm'], allow_failed_imports=False)
sr_hooks = dict(
    checkpoint=dict(type='SafeCheckpointHook'),
    targets=dict(type='CheckTargetsHook'),
    epoch_seed=dict(type='EpochSeedHook'),
    end_workers=dict(type='EndWorkersHook'))
