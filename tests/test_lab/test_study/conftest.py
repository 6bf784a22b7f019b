"""A study of two rows whose trainings and tests are faked."""
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from lab.study import run_study
from srpose_mm.apis import Complexity

FAKE = Path(__file__).with_name('fake_tool.py')
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
train_cfg = dict(max_epochs=5)
pipeline = [dict(type='LoadImage')]
model = dict(type='Nonsense', head=dict(
    decoder=dict(refine='dark', input_size=(64, 64))))
fake = dict()
"""


class FakeStudy:
    """A study in a folder which is the working directory."""

    def __init__(self, folder):
        self.folder = folder
        self.file = folder / 'study.py'
        self.file.write_text(STUDY)
        for name in ('first.py', 'second.py'):
            (folder / name).write_text(CONFIG)
        self.told = []

    def run(self, **kwargs):
        """Names of the runs that failed."""
        kwargs.setdefault('tell', self.told.append)
        return run_study('study.py', 'work', **kwargs)

    def calls(self):
        """The processes since the last look."""
        file = self.folder / 'calls.txt'
        lines = file.read_text().splitlines() if file.is_file() else []
        file.unlink(missing_ok=True)
        return lines

    def edit(self, name, old, new):
        text = (self.folder / name).read_text()
        assert old in text
        (self.folder / name).write_text(text.replace(old, new))


@pytest.fixture
def fake(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('lab.study.plan.script',
                        lambda name: str(FAKE))
    monkeypatch.setattr('lab.study.runs.complexity',
                        lambda cfg: Complexity(2e6, 1e6, 0.5))
    # A report after each run: the picture takes longest.
    monkeypatch.setattr('lab.study.report.draw_study',
                        lambda study, lines: Figure())
    return FakeStudy(tmp_path)
