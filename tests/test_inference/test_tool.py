"""The command line."""
import runpy

import cv2
import pytest
from mmpose.apis import inference_topdown

from ..conftest import ROOT
from ..support.predict_helpers import DEMO, assert_same, people, picture


def test_exit_code(weights, tmp_path, monkeypatch):
    main = runpy.run_path(str(ROOT / 'tools/predict.py'))['main']
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / 'in/a.png')
    argv = [str(DEMO), str(weights), 'in', '--device', 'cpu']
    options = [
        '--kpt-thr', '1e9', '--out-dir', 'out', '--cfg-options',
        'model.test_cfg.flip_test=False'
    ]
    main([*argv, *options])
    assert cv2.imread('out/a.png') is not None
    main([*argv, '--no-pictures'])
    assert [p.name for p in (tmp_path / 'predictions').iterdir()
            ] == ['a.png.json']
    (tmp_path / 'in/b.png').touch()
    with pytest.raises(SystemExit) as err:
        main(argv)
    assert err.value.code == 1
    with pytest.raises(SystemExit, match='nothing is downloaded'):
        main([*argv[:2], 'https://localhost/a.jpg'])


def test_flip_test_is_an_option(run, model, tmp_path):
    image = picture(tmp_path / 'a.png')
    options = {'model.test_cfg.flip_test': False}
    run(tmp_path / 'a.png', cfg_options=options)
    model.test_cfg['flip_test'] = False
    plain = inference_topdown(model, image)[0]
    assert_same(people(tmp_path / 'out/a.png.json'), plain)
    model.test_cfg['flip_test'] = True
    assert (inference_topdown(model, image)[0].pred_instances.keypoints
            != plain.pred_instances.keypoints).any()
