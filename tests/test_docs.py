"""The pages of the manual: links, commands and code."""
import ast
import importlib
import importlib.util
import re
import shlex
import subprocess
import sys

import cv2
import nbformat
import numpy as np
import pytest
import torch
from mim.commands.test import cli as mim_test
from mim.commands.train import cli as mim_train
from mmengine.config import Config
from mmpose.registry import DATASETS, MODELS, TRANSFORMS
from nbclient import NotebookClient

from srpose_mm.apis import export_model
from srpose_mm.configs import MMPOSE_MIM

from .conftest import CONFIGS, ROOT
from .support import run_onnx
from .test_manual import config_of

DOCS = ROOT / 'docs'
if not (DOCS / 'install.md').is_file():
    pytest.skip('needs the repository, not an installed package',
                allow_module_level=True)

LAB = ROOT / 'lab'
PAGES = [ROOT / 'projects_readme.md', *sorted(DOCS.glob('*.md')),
         *sorted(LAB.glob('*.md')), *sorted(LAB.glob('*/README.md'))]
STOCK_BACKBONES = {
    'ResNet-18': 'td-hm_res50_8xb64-210e_coco-256x192.py',
    'ResNet-50': 'td-hm_res50_8xb64-210e_coco-256x192.py',
    'HRNet-W32': 'td-hm_hrnet-w32_8xb64-210e_coco-256x192.py',
    'HRNet-W48': 'td-hm_hrnet-w48_8xb32-210e_coco-256x192.py',
    'MobileNetV2': 'td-hm_mobilenetv2_8xb64-210e_coco-256x192.py',
}
CONFIG_NAMES = {path.name for path in CONFIGS.rglob('*.py')}
STOCK_TOOLS = {path.stem: path
               for path in (MMPOSE_MIM / 'tools').rglob('*.py')}


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def fenced(language):
    """(page, block) of each fenced block of a language."""
    pattern = re.compile(rf'^```{language}\n(.*?)^```$', re.DOTALL | re.M)
    return [(name_of(path), block) for path in PAGES
            for block in pattern.findall(path.read_text('utf-8'))]


def command_lines():
    """(page, words) of each command, without settings of variables."""
    lines = []
    for page, block in fenced('bash'):
        for line in block.replace('\\\n', ' ').splitlines():
            words = shlex.split(line, comments=True)
            while words and re.match(r'[A-Z_]+=', words[0]):
                del words[0]
            if words:
                lines.append((page, words))
    return lines


COMMANDS = command_lines()


def commands(*start):
    """Those that start with these words, ready to parametrize with."""
    return [pytest.param(words[len(start):], id=f'{page}: {" ".join(words)}')
            for page, words in COMMANDS if words[:len(start)] == list(start)]


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize('path', PAGES, ids=name_of)
def test_links_exist(path):
    targets = re.findall(r'\]\(([^)#]+)(?:#[^)]*)?\)', path.read_text('utf-8'))
    for target in targets:
        if not target.startswith('http'):
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize('path', PAGES, ids=name_of)
def test_anchors_exist(path):
    for target, anchor in re.findall(r'\]\(([^)#]*)#([^)]+)\)',
                                     path.read_text('utf-8')):
        if target.startswith('http'):
            continue
        page = path.parent / target if target else path
        heads = re.findall(r'^#+ (.+)$', page.read_text('utf-8'), re.M)
        assert anchor in {
            re.sub(r'[^\w -]', '', head).lower().replace(' ', '-')
            for head in heads
        }, f'{target}#{anchor}'


@pytest.mark.parametrize('words', commands('mim', 'run', 'srpose_mm'))
def test_our_tools_know_their_options(words):
    path = ROOT / 'tools' / f'{words[0]}.py'
    assert path.is_file(), words[0]
    if '--help' in words:
        return
    load(path).parse_args(words[1:])


@pytest.mark.parametrize('words', [
    command for command in commands('python', '-m')
    if command.values[0][0].startswith('lab.')
])
def test_the_laboratory_knows_its_options(words):
    importlib.import_module(f'{words[0]}.__main__').parse_args(words[1:])


@pytest.mark.parametrize('words', commands('mim', 'run', 'mmpose'))
def test_stock_tools_know_their_options(words, monkeypatch):
    path = STOCK_TOOLS[words[0]]
    monkeypatch.setattr(sys, 'argv', [str(path), *words[1:]])
    load(path).parse_args()


@pytest.mark.parametrize('command, cli', [('train', mim_train),
                                          ('test', mim_test)])
def test_train_and_test_know_their_options(command, cli, monkeypatch):
    """mim's options by mim's parser, the others by MMPose's script."""
    script = load(MMPOSE_MIM / 'tools' / f'{command}.py')
    lines = [words[2:] for _, words in COMMANDS
             if words[:2] == ['mim', command]]
    assert len(lines) > 3
    for package, config, *options in lines:
        given = cli.make_context(command, [package, config, *options]).params
        if package == 'srpose_mm':
            assert config in CONFIG_NAMES, config
        arguments = [config, given.get('checkpoint'), *given['other_args']]
        monkeypatch.setattr(
            sys, 'argv', [command, *filter(None, arguments)])
        script.parse_args()


def test_make_targets_exist():
    makefile = (ROOT / 'Makefile').read_text('utf-8')
    targets = set(re.findall(r'^([a-z][\w-]*):', makefile, re.M))
    text = '\n'.join(path.read_text('utf-8') for path in PAGES)
    named = set(re.findall(r'`make ([a-z][\w-]*)', text))
    for _, words in COMMANDS:
        if words[0] == 'make':
            named |= {word for word in words[1:] if '=' not in word}
    assert named <= targets
    assert {'setup', 'demo', 'test', 'docs', 'results'} <= named


def test_scripts_exist():
    for _, words in COMMANDS:
        for word in words[1:]:
            if re.match(r'(scripts|tools|requirements|configs)/', word):
                assert (ROOT / word).exists(), word


@pytest.mark.parametrize('page, block', fenced('python'))
def test_python_compiles(page, block):
    compile(block, page, 'exec')


@pytest.mark.parametrize('name, size', [
    ('docs/datasets.md', (4, 256, 256)),
    ('docs/development.md', (17, 256, 192)),
])
def test_worked_configs(name, size, tmp_path):
    """The config of the page builds a model with maps of this size."""
    blocks = [block for page, block in fenced('python')
              if page == name and block.startswith('_base_')]
    assert len(blocks) == 1
    cfg = config_of(blocks[0], tmp_path)
    # Nothing of the stock codec is left in one of the three.
    encoder, decoder, codec = (
        {key: value for key, value in dict(part).items() if key != '_scope_'}
        for part in (cfg.train_dataloader.dataset.pipeline[-2].encoder,
                     cfg.model.head.decoder, cfg.codec))
    assert encoder == decoder == codec
    assert cfg.codec.heatmap_size == cfg.codec.input_size == size[:0:-1]
    model = MODELS.build(cfg.model).eval()
    with torch.no_grad():
        heatmaps = model(torch.zeros(1, 3, *size[1:]), None)
    assert heatmaps.shape == (1, *size)
    for step in cfg.train_dataloader.dataset.pipeline:
        TRANSFORMS.build(step)


def test_described_keypoints(tmp_path):
    """The description of keypoints is one that MMPose reads."""
    block, = [block for _, block in fenced('python')
              if block.startswith('dataset_info')]
    file = tmp_path / 'birds.py'
    file.write_text(block)
    dataset = DATASETS.build(dict(
        type='CocoDataset',
        metainfo=dict(from_file=str(file)),
        lazy_init=True))
    assert dataset.metainfo['num_keypoints'] == 4
    assert dataset.metainfo['flip_indices'] == [0, 1, 3, 2]


@pytest.mark.parametrize('text, faults', [
    ('If a keypoint is missing, its weight is 0.', []),
    ('`there` is code, [there](there.md) is not.', ["avoid 'there': name"]),
    ('Nobody gives it.', ["avoid 'nobody': no", "avoid 'gives': returns"]),
    (26 * 'word ' + 'end.', ['expected up to 25 words, got 27']),
    (20 * 'word ' + 'end. `Code` ' + 20 * 'word ', []),
    ('| a | b |\n|---|---|\n| whole | `whole` |', ["avoid 'whole': intact"]),
    ('```\nthere\n```', []),
])
def test_prose_rules(text, faults):
    script = load(ROOT / 'scripts' / 'check_prose.py')
    found = [fault for _, prose in script.paragraphs(text)
             for fault in script.check(prose)]
    assert len(found) == len(faults)
    for got, expected in zip(found, faults):
        assert got.startswith(expected)


def test_deploy_without_mmpose(tmp_path):
    """The page's lines do what tests/support/run_onnx.py does."""
    config, = (CONFIGS / 'demo').glob('*.py')
    export_model(config, tmp_path / 'model.onnx')
    photo = np.random.default_rng(0).integers(0, 255, (12, 9, 3), np.uint8)
    photo = cv2.resize(photo, (90, 120))
    cv2.imwrite(str(tmp_path / 'photo.jpg'), photo)
    code, = [block for page, block in fenced('python')
             if page == 'docs/deploy.md' and 'onnxruntime' in block]
    assert 'mmpose' not in code and 'srpose_mm' not in code
    process = subprocess.run([sys.executable, '-c', code], cwd=tmp_path,
                             check=True, stdout=subprocess.PIPE, text=True)
    keypoints = ast.literal_eval(process.stdout)
    expected, _ = run_onnx.predict(
        tmp_path / 'model.onnx', cv2.imread(str(tmp_path / 'photo.jpg')),
        (0, 0, 90, 120))
    assert list(keypoints)[:2] == ['nose', 'left_eye']
    np.testing.assert_allclose(list(keypoints.values()), expected, atol=0.051)


@pytest.mark.slow
def test_notebook(tmp_path):
    notebook = nbformat.read(DOCS / 'quickstart.ipynb', as_version=4)
    NotebookClient(
        notebook, timeout=600,
        resources=dict(metadata=dict(path=str(tmp_path)))).execute()


@pytest.mark.parametrize('row', re.findall(
    r'^\| (?:ResNet|HRNet|Mobile).*$',
    (DOCS / 'datasets.md').read_text('utf-8'), re.M))
def test_channels_of_backbones(row, tmp_path):
    """The table has the channels of the outputs, from coarse to fine."""
    names, channels, setting = row.strip('| ').split(' | ')
    stock = STOCK_BACKBONES[names.split(',')[0]]
    (tmp_path / 'config.py').write_text(
        f"_base_ = ['mmpose::body_2d_keypoint/topdown_heatmap/coco/{stock}']\n"
        f'model = dict(backbone=dict(init_cfg=None, {setting.strip("`")}))\n')
    cfg = Config.fromfile(tmp_path / 'config.py').model.backbone
    if names.startswith('ResNet'):
        cfg.depth = int(re.search(r'\d+', names).group())
    backbone = MODELS.build(cfg)
    backbone.eval()
    with torch.no_grad():
        feats = backbone(torch.zeros(1, 3, 64, 64))
    assert str(tuple(len(x[0]) for x in feats[::-1])) == channels.strip('`')
    assert [64 // x.size(-1) for x in feats] == [4, 8, 16, 32]


def test_citation_names_this_version():
    import yaml
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text('utf-8'))
    version = load(ROOT / 'srpose_mm' / 'version.py').__version__
    assert citation['version'] == version
    paper = citation['preferred-citation']
    assert paper['identifiers'][0]['value'] == 'arXiv:2307.16765'
