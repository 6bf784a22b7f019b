"""The authors' models: their tensors, and their function from those alone."""
import torch
import torch.nn.functional as F

SMALL = dict(
    keypoints=5,
    inputs=(12, 10, 8, 6),
    widths=(9, 8, 7, 6),
    embeds=(3, 2, 4, 1),
    factors=(4, 3, 1, 2),
    kernels=(1, 5, 3, 7))
# Design and paper: embeddings 16, 8, 4, 4; factors 8, 4, 2, 4.
PAPER = dict(
    keypoints=17,
    widths=(256, 128, 64, 32),
    embeds=(16, 8, 4, 4),
    factors=(8, 4, 2, 4),
    kernels=(3, 5, 7, 9))
MODELS_OF_THE_PAPER = {
    'td-srpose_res50_8xb32-210e_coco-256x192':
    ('ResNet-50', dict(PAPER, inputs=(2048, 1024, 512, 256))),
    'td-srpose_hrnet-w32_8xb32-210e_coco-256x192':
    ('HRNet-W32', dict(PAPER, inputs=(256, 128, 64, 32))),
}
TRANSPOSE = dict(
    keypoints=17,
    inputs=(256, 256),
    widths=(256, 128),
    embeds=(4, 4),
    factors=(2, 4),
    kernels=(7, 9))


class Weights(dict):
    """Random tensors of the authors' layers; activations stay near 1."""

    def layer(self, name, *shape, bias=True):
        key = f'keypoint_head.{name}'
        fan_in = torch.Size(shape[1:]).numel()
        self[f'{key}.weight'] = torch.randn(shape) / fan_in**0.5
        if bias:
            self[f'{key}.bias'] = 0.3 * torch.randn(shape[0])

    def conv(self, name, out, into, size=1):
        self.layer(name, out, into, size, size)

    def norm(self, name, width):
        key = f'keypoint_head.{name}'
        self[f'{key}.weight'] = 0.5 + torch.rand(width)
        self[f'{key}.bias'] = 0.3 * torch.randn(width)
        self[f'{key}.running_mean'] = 0.3 * torch.randn(width)
        self[f'{key}.running_var'] = 0.5 + torch.rand(width)
        self[f'{key}.num_batches_tracked'] = torch.tensor(7)


def authors_srpose(keypoints, inputs, widths, embeds, factors, kernels):
    """A head of section 5 of the design, in the order of that text."""
    w = Weights()
    w.conv('lr_head.0', keypoints, inputs[0])
    w.conv('lr_fuse.0', widths[0], keypoints)
    for i in range(1, len(widths)):
        w.conv(f'pre_interpolate.{i - 1}.0', widths[i - 1], 1, 3)
        w.conv(f'pre_interpolate.{i - 1}.1', widths[i], widths[i - 1])
        w.norm(f'pre_interpolate.{i - 1}.2', widths[i])
    for i, width in enumerate(widths):
        w.conv(f'pre_fuse.{i}.0', width, inputs[i])
        w.norm(f'pre_fuse.{i}.1', width)
    for i, width in enumerate(widths[1:]):
        w.conv(f'fuse.{i}', width, 2 * width)
    for i, width in enumerate(widths[1:]):
        for block in (f'post_fuse.{i}.0', f'post_fuse.{i}.1'):
            w.conv(f'{block}.dwconv', width, 1, 7)
            w.norm(f'{block}.norm', width)
            w.layer(f'{block}.pwconv1', 4 * width, width)
            w.layer(f'{block}.pwconv2', width, 4 * width)
    for i, width in enumerate(widths):
        w.conv(f'kp_encoder.{i}.0', keypoints * embeds[i], width)
        w.conv(f'converge.{i}.conv', keypoints * factors[i]**2, embeds[i],
               kernels[i])
    return dict(w)


def authors_bottom_up(keypoints, inputs, deconvs, embed=4, factor=4, size=9):
    w = Weights()
    width = inputs
    for j, (out, kernel) in enumerate(deconvs):
        w.layer(
            f'deconv_layers.{3 * j}', width, out, kernel, kernel, bias=False)
        w.norm(f'deconv_layers.{3 * j + 1}', out)
        width = out
    w.conv('kp_encoder.0', keypoints * embed, width)
    w.conv('heatmap_head', keypoints * factor**2, embed, size)
    w.conv('tag_head', keypoints, width)
    return dict(w)


class Formula:
    """Sections 3 and 4 of the design, from the authors' tensors alone."""

    def __init__(self, state_dict, training=False):
        self.w = {
            key[len('keypoint_head.'):]: value.clone()
            for key, value in state_dict.items()
        }
        self.training = training

    def conv(self, name, x, groups=1):
        weight = self.w[f'{name}.weight']
        return F.conv2d(
            x,
            weight,
            self.w[f'{name}.bias'],
            padding=weight.shape[-1] // 2,
            groups=groups)

    def linear(self, name, x):
        return F.linear(x, self.w[f'{name}.weight'], self.w[f'{name}.bias'])

    def norm(self, name, x):
        return F.batch_norm(
            x, *(self.w[f'{name}.{tensor}'] for tensor in
                 ('running_mean', 'running_var', 'weight', 'bias')),
            training=self.training)

    def refine(self, name, x):
        y = self.conv(f'{name}.dwconv', x, groups=x.shape[1])
        y = self.norm(f'{name}.norm', y).movedim(1, 3)
        y = F.gelu(self.linear(f'{name}.pwconv1', y))
        return x + self.linear(f'{name}.pwconv2', y).movedim(3, 1)

    def sr_block(self, encoder, predictor, keypoints, x):
        x = F.relu(self.conv(encoder, x))
        x = self.conv(predictor, x, groups=keypoints)
        return F.pixel_shuffle(x, round((x.shape[1] / keypoints)**0.5))

    def srpose(self, feats):
        """Features, fine to coarse, to lr and the maps of all levels."""
        feats = feats[::-1]
        lr = F.relu(self.conv('lr_head.0', feats[0]))
        maps = [lr]
        for i, feat in enumerate(feats):
            lateral = self.conv(f'pre_fuse.{i}.0', feat)
            lateral = F.relu(self.norm(f'pre_fuse.{i}.1', lateral))
            if i == 0:
                x = lateral + F.relu(self.conv('lr_fuse.0', lr))
            else:
                name = f'pre_interpolate.{i - 1}'
                x = self.conv(f'{name}.0', x, groups=x.shape[1])
                x = F.relu(self.norm(f'{name}.2', self.conv(f'{name}.1', x)))
                x = F.interpolate(x, feat.shape[2:], mode='nearest')
                x = self.conv(f'fuse.{i - 1}', torch.cat([x, lateral], 1))
                x = self.refine(f'post_fuse.{i - 1}.0', x)
                x = self.refine(f'post_fuse.{i - 1}.1', x)
            maps.append(
                self.sr_block(f'kp_encoder.{i}.0', f'converge.{i}.conv',
                              lr.shape[1], x))
        return maps

    def bottom_up(self, x):
        """A feature map to heatmaps and tags."""
        for j in range(0, 99, 3):
            weight = self.w.get(f'deconv_layers.{j}.weight')
            if weight is None:
                break
            # Kernels 4 and 2 are padded to exactly twice the size.
            x = F.conv_transpose2d(
                x, weight, stride=2, padding=weight.shape[-1] // 2 - 1)
            x = F.relu(self.norm(f'deconv_layers.{j + 1}', x))
        tags = self.conv('tag_head', x)
        heatmaps = self.sr_block('kp_encoder.0', 'heatmap_head',
                                 tags.shape[1], x)
        return heatmaps, F.interpolate(
            tags, heatmaps.shape[2:], mode='nearest')


def assert_same_maps(got, expected):
    assert len(got) == len(expected)
    for ours, theirs in zip(got, expected):
        assert theirs.std() > 0.05  # far above the tolerance
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)
