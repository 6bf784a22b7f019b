"""A study of two rows whose trainings and tests are imitated."""
import pytest
from matplotlib.figure import Figure

from lab.study import read_results, run_study
from srpose_mm.apis import Complexity

from ..support import fake_study_tool

STUDY = """
title = 'Two rows'
plain = {'model.head.decoder.refine': 'none', 'fake.add': -0.125}
rows = [
    dict(name='first row', config='first.py', seeds=(0, 1),
         tests={'dark': {}, 'none': plain}),
    dict(name='second', config='second.py', seeds=(0, ),
         tests={'dark': {'fake.add': 0.25}}),
]
metrics = {'AP': 'coco/AP', 'AR': 'AR'}
headline = 'AP'
"""
CONFIG = """
train_cfg = dict(max_epochs=4)
pipeline = [dict(type='LoadImage')]
model = dict(type='Nonsense', head=dict(
    decoder=dict(refine='dark', input_size=(64, 64))))
fake = dict()
"""


class FakeStudy:
    """A study in a folder, which is the working directory."""

    def __init__(self, folder):
        self.folder = folder
        self.file = folder / 'study.py'
        self.file.write_text(STUDY)
        for name in ('first.py', 'second.py'):
            (folder / name).write_text(CONFIG)

    def run(self, **kwargs):
        """Return the runs that failed."""
        return run_study('study.py', 'work', **kwargs)

    def results(self):
        """Return the records by row, seed and test."""
        return {(record['row'], record['seed'], record['test']): record
                for record in read_results('results.json')}

    def calls(self):
        """Return the calls of the tool since the last call of this method."""
        file = self.folder / 'calls.txt'
        lines = file.read_text().splitlines() if file.is_file() else []
        file.unlink(missing_ok=True)
        return lines

    def edit(self, name, old, new):
        """Replace text that must exist in a file."""
        text = (self.folder / name).read_text()
        assert old in text
        (self.folder / name).write_text(text.replace(old, new))


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A :class:`FakeStudy` without pictures, which need most of the time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    monkeypatch.setattr('lab.study.plan._script',
                        lambda name: fake_study_tool.__file__)
    monkeypatch.setattr('lab.study.runs.measure_complexity',
                        lambda cfg: Complexity(2e6, 1e6, 0.5))
    monkeypatch.setattr('lab.study.report.draw_results',
                        lambda study, frame: Figure())
    return FakeStudy(tmp_path)
