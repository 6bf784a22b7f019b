"""Training and testing through mim, as the manual says."""
import pytest
from mmengine.config import Config

from srpose_mm.checkpoints import load_checkpoint

from .conftest import CONFIGS
from .support.mim import metric, mim

DEMO = next((CONFIGS / 'demo').glob('*.py'))
BOXES = 'person_detection_results/COCO_val2017_detections_AP_H_56_person.json'
VAL = 'annotations/person_keypoints_val2017.json'


def options(root, **kwargs):
    """Point the demo's config at small data, for one short epoch."""
    values = {
        'train_dataloader.dataset.data_root': root,
        'val_dataloader.dataset.data_root': root,
        'test_dataloader.dataset.data_root': root,
        'val_dataloader.dataset.bbox_file': root / BOXES,
        'test_dataloader.dataset.bbox_file': root / BOXES,
        'val_evaluator.ann_file': root / VAL,
        'test_evaluator.ann_file': root / VAL,
        'train_dataloader.batch_size': 4,
        'train_cfg.max_epochs': 1,
        'train_cfg.val_interval': 1,
        **kwargs
    }
    return ['--cfg-options', *(f'{k}={v}' for k, v in values.items())]


@pytest.fixture(scope='module')
def trained(toy_coco, tmp_path_factory):
    """A work directory of ``mim train srpose_mm NAME``."""
    folder = tmp_path_factory.mktemp('mim')
    output = mim('train', 'srpose_mm', DEMO.name, '--work-dir', 'work',
                 *options(toy_coco), cwd=folder)
    assert 'Training finished successfully' in output
    (folder / 'AP').write_text(f"{metric(output, 'coco/AP')}")
    return folder


def latest(folder):
    """The checkpoint there; the demo's config keeps one."""
    path, = (folder / 'work').glob('epoch_*.pth')
    return path


def test_train_writes_a_checkpoint_that_loads_strictly(trained):
    checkpoint = load_checkpoint(latest(trained))
    assert checkpoint['meta']['epoch'] == 1
    from mmpose.registry import MODELS
    model = MODELS.build(Config.fromfile(DEMO).model)
    model.load_state_dict(checkpoint['state_dict'], strict=True)


@pytest.mark.parametrize('package, config', [
    pytest.param('srpose_mm', DEMO.name, id='by name'),
    pytest.param('mmpose', DEMO, id='by path', marks=pytest.mark.slow),
])
def test_test(trained, toy_coco, package, config):
    output = mim('test', package, config, '--checkpoint', latest(trained),
                 '--work-dir', 'test', *options(toy_coco), cwd=trained)
    assert metric(output, 'coco/AP') == float((trained / 'AP').read_text())


def test_resume(trained, toy_coco):
    output = mim('train', 'mmpose', DEMO, '--work-dir', 'work', '--resume',
                 *options(toy_coco, **{'train_cfg.max_epochs': 2}),
                 cwd=trained)
    assert 'resumed epoch: 1' in output
    assert latest(trained).name == 'epoch_2.pth'


# EPE, the mean error in px, changes with each keypoint that is predicted;
# AP of a model that barely learned is 0 whatever it predicts. Of five people
# the second process gets two. One at a time: sums over a batch of another size
# round in another way, which moves keypoints where heatmaps are flat. The
# single process would also use ChannelsLastHook's layout, which rounds in
# another way: it is left out.
UNEVEN = f"""
_base_ = [{str(DEMO)!r}]
custom_hooks = []
data = dict(batch_size=1, dataset=dict(bbox_file='', indices=5))
test_dataloader = data
test_evaluator = dict(_delete_=True, type='EPE')
"""


def test_two_processes_on_the_cpu(trained, toy_coco):
    output = mim('train', 'srpose_mm', DEMO.name, '--work-dir', 'two',
                 '--launcher', 'pytorch', '--gpus', '2', *options(toy_coco),
                 cwd=trained)
    assert 'Training finished successfully' in output
    (trained / 'uneven.py').write_text(UNEVEN)
    test = ('test', 'srpose_mm', 'uneven.py', '--checkpoint', latest(trained),
            '--work-dir', 'test', '--cfg-options',
            f'test_dataloader.dataset.data_root={toy_coco}')
    single = mim(*test, cwd=trained)
    both = mim(*test[:-2], '--launcher', 'pytorch', '--gpus', '2', *test[-2:],
               cwd=trained)
    assert metric(single, 'EPE') > 0
    assert metric(both, 'EPE') == metric(single, 'EPE')


@pytest.mark.slow
def test_visualize(trained, toy_coco):
    mim('run', 'srpose_mm', 'visualize', DEMO, latest(trained), '--out-dir',
        'pictures', '--num-images', '1', *options(toy_coco), cwd=trained)
    assert len(list((trained / 'pictures').iterdir())) == 2


@pytest.mark.slow
def test_make_toy_dataset(tmp_path):
    output = mim('run', 'srpose_mm', 'make_toy_dataset', 'toy', '--layout',
                 'crowdpose', '--num-train', '1', '--num-val', '1',
                 cwd=tmp_path)
    assert 'written to toy' in output
    assert len(list((tmp_path / 'toy' / 'images').iterdir())) == 2


def test_a_swapped_head_trains(toy_coco, tmp_path):
    """From the name of a stock config to a trained model."""
    output = mim('run', 'srpose_mm', 'swap_head',
                 'td-hm_mobilenetv2_8xb64-210e_coco-256x192', '--scheme',
                 'srpose', '--out', 'mine.py', cwd=tmp_path)
    assert 'config written to mine.py' in output
    cells = [cell.strip() for cell in output.split('after')[1].split('|')]
    assert cells[1:4] == ['SRPoseNeck', 'SRPoseHead', '192x256']
    output = mim('train', 'mmpose', 'mine.py', '--work-dir', 'work',
                 *options(toy_coco, **{'model.backbone.init_cfg': 'None'}),
                 cwd=tmp_path)
    assert metric(output, 'loss_kpt_3') > 0


def test_search(tmp_path):
    output = mim('search', 'srpose_mm', '--valid-config', cwd=tmp_path)
    assert 'td-srpose_res50_8xb32-210e_coco-256x192' in output


def test_unknown_config_is_named(tmp_path):
    output = mim('train', 'srpose_mm', 'td-srpose_res51.py', cwd=tmp_path,
                 check=False)
    assert "td-srpose_res51.py doesn't exist" in output
