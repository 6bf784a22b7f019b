"""The laboratory: measure what the plugin does; never part of the wheel.

``python -m lab.study``, ``lab.round_trip``, ``lab.benchmark`` and
``lab.sweep``, from the root of the repository.
"""
