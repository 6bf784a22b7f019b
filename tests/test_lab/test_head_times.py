"""Times of what follows the backbone in the models of a study."""
from lab.benchmark import Settings
from lab.head_times import time_rows
from lab.study import read_study


def test_each_row_has_a_time_for_each_batch_size():
    study = read_study('lab/experiments/toy_coco/study.py')
    study = study._replace(rows=study.rows[:2])
    settings = Settings(rounds=1, seconds=0.001, batch_sizes=(1, 8))
    table = time_rows(study, settings)
    assert list(table.index) == [row.name for row in study.rows]
    assert list(table) == ['batch 1, ms', 'batch 8, ms']
    assert (table > 0).all(axis=None)
