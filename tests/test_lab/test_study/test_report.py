"""The table, the CSV file and the picture."""
import csv
import statistics

import cv2
import pytest

from lab.study import Ledger, read_study, report_study
from lab.study.lines import study_lines
from lab.study.picture import draw_study

VALUES = {('first row', 'dark'): [0.71234, 0.68],
          ('first row', 'none'): [0.5, 0.625],
          ('second', 'dark'): [0.75]}


@pytest.fixture
def table(fake):
    """Rows of the written table, as lists of cells."""
    ledger = Ledger(fake.folder / 'results.json')
    for (row, test), values in VALUES.items():
        for seed, value in enumerate(values):
            ledger.add(
                dict(
                    row=row,
                    seed=seed,
                    test=test,
                    metrics={
                        'coco/AP': value,
                        'AR': 2 * value
                    },
                    training_seconds=60. + 30 * seed,
                    epochs=5,
                    backbone_params=1500000,
                    other_params=250000,
                    gflops=0.125,
                    versions=dict(torch='1.2', mmpose='3.4'),
                    machine=f'CPU {seed}'))

    def rows(**kwargs):
        text = report_study(fake.file, **kwargs)
        assert (fake.folder / 'results.md').read_text() == text + '\n'
        lines = [line for line in text.splitlines() if line.startswith('|')]
        return [[cell.strip() for cell in line.strip('|').split('|')]
                for line in lines]

    return rows


def test_means_and_deviations(table):
    head, _, *rows = table()
    assert head[:5] == ['row', 'test', 'AP', 'AR', 'seeds']
    for cells, ((row, test), values) in zip(rows, VALUES.items()):
        assert cells[:2] == [row, test]
        for cell, factor in zip(cells[2:4], (1, 2)):
            scaled = [factor * value for value in values]
            mean, _, deviation = cell.strip('*').partition(' ± ')
            assert float(mean) == pytest.approx(
                statistics.mean(scaled), abs=5e-4)
            if len(values) > 1:
                assert float(deviation) == pytest.approx(
                    statistics.stdev(scaled), abs=5e-4)
            else:
                assert deviation == ''
        assert cells[4] == str(len(values))
    assert rows[0][5:] == ['5', '1.2', '1.50', '0.25', '0.125']
    assert rows[2][6] == '1.0'


@pytest.mark.parametrize('lower, best', [(False, 2), (True, 1)])
def test_the_best_headline_is_bold(fake, table, lower, best):
    fake.edit('study.py', "headline = 'AP'",
              f"headline = 'AP'\nlower_is_better = {lower}")
    rows = table()[2:]
    assert [row[2].startswith('**') for row in rows] == [
        index == best for index in range(3)
    ]
    sense = 'lower' if lower else 'higher'
    assert f'AP: {sense} is better' in (fake.folder /
                                        'results.md').read_text()


def test_machine_and_versions_stand_below(fake, table):
    table()
    text = (fake.folder / 'results.md').read_text()
    assert text.startswith('# Two rows\n')
    assert 'Measured on CPU 0; CPU 1. torch 1.2, mmpose 3.4.' in text


def test_csv_has_a_line_for_each_seed(fake, table):
    table()
    with (fake.folder / 'results.csv').open(newline='') as stream:
        lines = list(csv.DictReader(stream))
    found = {}
    for line in lines:
        found.setdefault((line['row'], line['test']), []).append(
            float(line['AP']))
        assert float(line['AR']) == 2 * float(line['AP'])
    assert found == VALUES
    assert [line['seed'] for line in lines] == ['0', '1', '0', '1', '0']


def test_picture_has_a_dot_for_each_seed(fake, table):
    study = read_study(fake.file)
    table()
    records = Ledger(fake.folder / 'results.json').records()
    ax, = draw_study(study, study_lines(study, records)).axes
    dots, means = {}, {}
    for line in ax.get_lines():
        x, y = line.get_data()
        if line.get_marker() != 'None' and len(x):
            dots[round(float(y[0]), 2)] = [*x]
            assert len(set(y)) == 1
        elif len(x) and x[0] == x[1]:
            means[round(sum(y) / 2, 2)] = x[0]
    # From top to bottom, the rows 1 apart and their tests in between.
    assert dots == dict(zip((-0.12, 0.12, 1.0), VALUES.values()))
    assert means == {y: statistics.mean(x) for y, x in dots.items()}
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        'first row', 'second'
    ]
    colors = [line.get_color() for line in ax.get_lines()
              if line.get_marker() != 'None' and len(line.get_xdata())]
    assert colors[0] == colors[2] != colors[1]
    assert 'AP (higher is better)' in ax.get_xlabel()


def test_picture_is_written(fake, table, monkeypatch):
    monkeypatch.setattr('lab.study.report.draw_study', draw_study)
    table()
    picture = cv2.imread(str(fake.folder / 'results.png'))
    assert picture.shape[1] == 8 * 130


def test_rows_without_results_are_left_out(fake, table):
    table()
    ledger = Ledger(fake.folder / 'results.json')
    ledger.remove([('second', 0, 'dark')])
    assert [row[0] for row in table()[2:]] == ['first row', 'first row']


def test_no_results(fake):
    with pytest.raises(ValueError, match='expected results in .* run it'):
        report_study(fake.file)


def test_a_metric_that_results_lack(fake, table):
    text = fake.file.read_text()
    fake.file.write_text(text.replace("'coco/AP'", "'coco/AP .5'"))
    with pytest.raises(ValueError, match=r"with coco/AP \.5, got 'first row', "
                       "seed 0, 'dark' without.*--again"):
        table()
