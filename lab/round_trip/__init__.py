"""Measure what codecs lose between encoding and decoding."""
from .report import draw_round_trips, format_round_trips, write_round_trips
from .round_trip import measure_round_trip
from .sources import Source, annotation_source, config_source, random_source

__all__ = [
    'Source', 'annotation_source', 'config_source', 'draw_round_trips',
    'format_round_trips', 'measure_round_trip', 'random_source',
    'write_round_trips'
]
