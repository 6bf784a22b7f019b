"""The table, the CSV file and the picture of a study."""
import csv
import statistics

import pytest

from lab.study import read_results, read_study, report, report_study

VALUES = {('first row', 'dark'): [0.71234, 0.68],
          ('first row', 'none'): [0.5, 0.625],
          ('second', 'dark'): [0.75]}
draw_results = report.draw_results


@pytest.fixture
def table(fake):
    """A function that returns the rows of the table as lists of cells."""
    report.write_results(fake.folder / 'results.json', [
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
            gpus=1,
            accumulate=8 - 7 * seed,
            versions=dict(torch='1.2', mmpose='3.4'),
            machine=f'CPU {seed}')
        for (row, test), values in reversed(VALUES.items())
        for seed, value in enumerate(values)
    ])

    def rows():
        text = report_study(fake.file)
        assert (fake.folder / 'results.md').read_text() == text + '\n'
        lines = [line for line in text.splitlines() if line.startswith('|')]
        return [[cell.strip() for cell in line.strip('|').split('|')]
                for line in lines]

    return rows


def test_means_and_deviations_in_the_order_of_the_study(table):
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
    assert [row[2].startswith('**') for row in table()[2:]] == [
        index == best for index in range(3)
    ]
    sense = 'lower' if lower else 'higher'
    text = (fake.folder / 'results.md').read_text()
    assert f'AP: {sense} is better' in text
    assert 'Measured on CPU 0; CPU 1. torch 1.2, mmpose 3.4.' in text
    assert text.endswith('accumulated batches: 1 x 8.\n')


def test_csv_has_a_line_for_each_seed(fake, table):
    table()
    with (fake.folder / 'results.csv').open(newline='') as stream:
        lines = list(csv.DictReader(stream))
    values = {}
    for line in lines:
        values.setdefault((line['row'], line['test']), []).append(
            float(line['AP']))
        assert float(line['AR']) == 2 * float(line['AP'])
    assert values == VALUES
    assert [line['seed'] for line in lines] == ['0', '1', '0', '1', '0']


def test_picture_has_a_dot_for_each_seed_and_a_bar_for_the_mean(fake, table):
    study = read_study(fake.file)
    records = read_results(fake.folder / 'results.json')
    frame = report.results_frame(study, records)
    ax, = draw_results(study, frame).axes
    dots = sorted(float(x) for part in ax.collections
                  for x in part.get_offsets()[:, 0])
    assert dots == sorted(sum(VALUES.values(), []))
    bars = sorted(float(x) for line in ax.get_lines()
                  for x in line.get_xdata() if x == x)
    assert bars == pytest.approx(
        sorted(map(statistics.mean, VALUES.values())))
    assert 'AP (higher is better)' in ax.get_xlabel()


def test_results_without_the_study(fake, table):
    with pytest.raises(ValueError, match='expected results in .* run the'):
        report_study(fake.file, fake.folder / 'nothing.json')
    (fake.folder / 'other.json').write_text('{"records": [{"row": 1}]}')
    with pytest.raises(ValueError, match="to hold the results of a study"):
        report_study(fake.file, fake.folder / 'other.json')
    fake.edit('study.py', "'coco/AP'", "'coco/AP .5'")
    with pytest.raises(ValueError, match=r'with coco/AP \.5, got .* without'):
        table()
