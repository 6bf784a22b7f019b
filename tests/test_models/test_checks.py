"""Codec, crop and head that do not agree are named at the first batch."""
import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.config import Config
from mmpose.registry import DATASETS, MODELS
from mmpose.structures import PoseDataSample

CROP = (48, 64)
TARGETS = ['heatmaps', 'keypoints']
HEADS = ['SRHead', 'SRPoseHead', 'SRAssociativeEmbeddingHead']
REMEDY = (r'; write decoder=dict\(_delete_=True, \*\*codec\) with the codec '
          'of GenerateTarget')


def is_bottom_up(head):
    return head == 'SRAssociativeEmbeddingHead'


def codec_of(head, **kwargs):
    name = 'SRAssociativeEmbedding' if is_bottom_up(head) else 'SRHeatmap'
    return dict(dict(type=name, input_size=CROP, sigma=8), **kwargs)


def build(head, decoder, keypoints=17):
    channels = (8, 8, 8, 8) if head == 'SRPoseHead' else 8
    cfg = dict(type=head, in_channels=channels, decoder=decoder)
    cfg['num_keypoints' if is_bottom_up(head) else 'out_channels'] = keypoints
    if head != 'SRPoseHead':
        cfg['deconv_out_channels'] = None
    return MODELS.build(cfg)


def features(head, batch):
    feats = [torch.rand(batch, 8, 16 // 2**i, 12 // 2**i)
             for i in reversed(range(4))]
    lr = torch.rand(batch, 17, 2, 2)
    return [lr, *feats] if head == 'SRPoseHead' else feats[-1:]


def packed(head, encoder, crop=CROP, instances=1, **target):
    """Return a sample as MMPose's pipeline packs it."""
    make = dict(type='GenerateTarget', encoder=encoder, **target)
    steps = [
        dict(type='GetBBoxCenterScale'),
        dict(type='TopdownAffine', input_size=crop), make
    ]
    if is_bottom_up(head):
        steps = [dict(type='BottomupRandomAffine', input_size=crop)]
        # MMPose cannot move zero keypoints.
        steps = steps * (instances > 0)
        steps += [make, dict(type='BottomupGetHeatmapMask')]
    shape = (80, 80) if instances else crop[::-1]
    results = dict(
        img=np.zeros((*shape, 3), np.uint8),
        img_shape=shape,
        bbox=np.array([[10, 10, 60, 60]] * instances, np.float32),
        keypoints=np.random.uniform(20, 50, (instances, 17, 2)).astype('f4'),
        keypoints_visible=np.ones((instances, 17), np.float32))
    if not instances:
        results.update(input_size=crop, warp_mat=np.eye(2, 3))
    steps.append(dict(type='PackPoseInputs'))
    return Compose(steps)(results)['data_samples']


@pytest.mark.parametrize('target', TARGETS)
@pytest.mark.parametrize('head', HEADS)
def test_what_agrees(head, target):
    for kwargs in (dict(), dict(use_udp=True)):
        codec = codec_of(head, target=target, **kwargs)
        for batch in (1, 2):
            samples = [packed(head, codec) for _ in range(batch)]
            losses = build(head, codec).loss(features(head, batch), samples)
            assert torch.isfinite(sum(losses.values()))


@pytest.mark.parametrize('head', HEADS)
def test_without_a_decoder_nothing_is_compared(head):
    samples = [packed(head, codec_of(head))]
    losses = build(head, None).loss(features(head, 1), samples)
    assert torch.isfinite(sum(losses.values()))


@pytest.mark.parametrize('size', [(64, 48), (72, 96)])
@pytest.mark.parametrize('target', TARGETS)
@pytest.mark.parametrize('head', HEADS)
def test_encoder_of_another_input_size_than_the_crop(head, target, size):
    for kwargs in (dict(), dict(use_udp=True)):
        codec = codec_of(head, input_size=size, target=target, **kwargs)
        message = (rf'{codec["type"]}: expected crops of the codec\'s '
                   rf'input_size \({size[0]}, {size[1]}\) \(width, height\), '
                   r'got \(48, 64\) from the pipeline; write '
                   r'input_size=\(48, 64\) in the codec, the one of Generate')
        with pytest.raises(ValueError, match=message):
            packed(head, codec)


@pytest.mark.parametrize('head', HEADS[:2])
def test_decoder_of_another_input_size_than_the_crop(head):
    """In a training with a stock encoder and in a test."""
    decoder = codec_of(head, input_size=(64, 48), heatmap_size=CROP)
    stock = dict(
        type='MSRAHeatmap', input_size=(64, 48), heatmap_size=CROP, sigma=8)
    samples = [packed(head, stock)] * 2
    message = (rf'{head}: expected crops of .*input_size \(64, 48\) .*got '
               r'\(48, 64\) from the pipeline; write input_size=\(48, 64\)')
    model, feats = build(head, decoder), features(head, 2)
    with pytest.raises(ValueError, match=message):
        model.loss(feats, samples)
    with pytest.raises(ValueError, match=message):
        model.predict(feats, samples, {})


@pytest.mark.parametrize('encoder, decoder, message', [
    (dict(), dict(sigma=2), 'got sigma=2.0 instead of 8.0'),
    (dict(), dict(use_udp=True), 'got use_udp=True instead of False'),
    (dict(use_udp=True), dict(), 'got use_udp=False instead of True'),
    (dict(heatmap_size=(24, 32)), dict(),
     r'got heatmap_size=\(48, 64\) instead of \(24, 32\)'),
])
@pytest.mark.parametrize('target', TARGETS)
@pytest.mark.parametrize('head', HEADS)
def test_decoder_of_another_codec(head, target, encoder, decoder, message):
    encoder = codec_of(head, target=target, **encoder)
    model = build(head, codec_of(head, **{'target': target, **decoder}))
    message = f'{head}: expected the decoder to be .*{message}{REMEDY}'
    for batch in (1, 2):
        samples = [packed(head, encoder) for _ in range(batch)]
        with pytest.raises(ValueError, match=message):
            model.loss(features(head, batch), samples)


@pytest.mark.parametrize('head', HEADS)
def test_one_of_several_encoders_differs(head):
    """Of several datasets, or of a pipeline that a hook has switched."""
    codec, other = codec_of(head), codec_of(head, sigma=2)
    model = build(head, codec)
    agree, differs = packed(head, codec), packed(head, other)
    model.loss(features(head, 2), [agree, agree])
    with pytest.raises(ValueError, match='sigma=8.0 instead of 2.0'):
        model.loss(features(head, 2), [agree, differs])


@pytest.mark.parametrize('target', TARGETS)
def test_images_without_an_instance_have_no_encoder(target):
    head = 'SRAssociativeEmbeddingHead'
    codec = codec_of(head, target=target)
    other = codec_of(head, target=target, sigma=2)
    model, feats = build(head, codec), features(head, 2)
    nobody = packed(head, codec, instances=0)
    losses = model.loss(feats, [nobody, nobody])
    assert torch.isfinite(sum(losses.values()))
    with pytest.raises(ValueError, match='sigma=8.0 instead of 2.0'):
        model.loss(feats, [nobody, packed(head, other)])


@pytest.mark.parametrize('head', HEADS)
def test_metainfo_of_another_number_of_keypoints(head):
    """A model and metainfo of 14 keypoints, and annotations of 17."""
    sample = packed(head, codec_of(head))
    sample.set_metainfo(dict(flip_indices=list(range(14))))
    model = build(head, codec_of(head), keypoints=14)
    feats = features(head, 1)
    feats[0] = feats[0][:, :14]
    message = (f'{head}: expected 14 keypoints, got 17 from annotations '
               'whose metainfo describes 14; out_channels of the head')
    with pytest.raises(ValueError, match=message):
        model.loss(feats, [sample])


def test_targets_of_several_levels():
    """Of a stock head with a codec for each stage."""
    encoders = [codec_of('SRHead', sigma=sigma) for sigma in (2, 4)]
    fields = packed('SRHead', encoders, multilevel=True).gt_fields
    assert [len(maps) for maps in fields.heatmaps] == [17, 17]


@pytest.mark.parametrize('peaks_only', [False, True])
def test_cells_of_bottom_up_heatmaps(peaks_only):
    """Heatmaps as large as the input, with a codec for half its size."""
    head = 'SRAssociativeEmbeddingHead'
    feats = features(head, 1)
    meta = dict(input_size=CROP, img_shape=CROP[::-1])
    test_cfg = dict(peaks_only=peaks_only)

    def predict(codec, **kwargs):
        model = build(head, codec_of(head, **codec))
        model.predict(feats, [PoseDataSample(metainfo=dict(meta, **kwargs))],
                      test_cfg)

    predict(dict())
    # Another input size, with cells of one px all the same.
    predict(dict(input_size=(96, 96)))
    test_cfg['restore_heatmap_size'] = True
    predict(dict())
    half = dict(heatmap_size=(24, 32))
    message = (f'{head}: expected heatmap cells of 2 px, as the decoder\'s, '
               'got 1 px from heatmaps of 48x64 for an input of 48x64; set '
               'restore_heatmap_size=False in test_cfg')
    with pytest.raises(ValueError, match=message):
        predict(half)
    test_cfg['restore_heatmap_size'] = False
    with pytest.raises(ValueError, match='expected heatmap cells of 2 px'):
        predict(half)


# The lines of the README, with what a user forgets.
HEAD = '''
_base_ = ['mmpose::body_2d_keypoint/topdown_heatmap/coco/NAME.py']
codec = dict(type='SRHeatmap', input_size=(192, 256), heatmap_size=(192, 256)
             , target='TARGET', OPTIONS)
model = dict(head=dict(
    type='SRHead', in_channels=8, deconv_out_channels=None, decoder=codec,
    loss=dict(type='KeypointMSELoss', use_target_weight=True)))
'''
DATA = '''
train_pipeline = _base_.train_pipeline
train_pipeline[-2] = dict(type='GenerateTarget', encoder=codec)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
'''
PLAIN = 'td-hm_res50_8xb64-210e_coco-256x192'
DARK = 'td-hm_res50_dark-8xb64-210e_coco-256x192'
REPLACED = 'decoder=dict(_delete_=True, **codec)'


@pytest.mark.parametrize('name, text, options, target, message', [
    (PLAIN, HEAD.replace('decoder=codec', REPLACED) + DATA, '', 'heatmaps',
     None),
    (DARK, HEAD.replace('decoder=codec', REPLACED) + DATA, '', 'keypoints',
     None),
    *[(*case, target, message) for target in TARGETS for *case, message in [
        (PLAIN, HEAD + DATA, '', 'got sigma=2.0 instead of 8.0' + REMEDY),
        (DARK, HEAD + DATA, 'sigma=8',
         'got unbiased=True instead of False' + REMEDY),
        (PLAIN, HEAD, 'sigma=8', r'expected targets of the decoder\'s '
         r'heatmap_size \(192, 256\) \(width, height\), got \(48, 64\) '
         r'from the pipeline\'s encoder; write encoder=codec, .* in '
         'GenerateTarget of the pipeline that train_dataloader uses'),
    ]]
])
def test_lines_on_top_of_a_stock_config(name, text, options, target, message,
                                        toy_coco, tmp_path):
    text = text.replace('NAME', name).replace('TARGET', target)
    (tmp_path / 'mine.py').write_text(text.replace('OPTIONS', options))
    cfg = Config.fromfile(tmp_path / 'mine.py')
    dataset = DATASETS.build(
        dict(cfg.train_dataloader.dataset, data_root=str(toy_coco)))
    samples = [dataset[i]['data_samples'] for i in range(2)]
    head = MODELS.build(cfg.model.head)
    feats = (torch.rand(2, 8, 64, 48), )
    if message is None:
        assert torch.isfinite(head.loss(feats, samples)['loss_kpt'])
        return
    with pytest.raises(ValueError, match='SRHead: .*' + message):
        head.loss(feats, samples)
