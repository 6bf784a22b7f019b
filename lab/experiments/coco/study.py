"""Heads compared on COCO: train2017, val2017 with detected boxes."""
title = 'COCO val2017'
gpus = 8
check_data = True

# The same weights are tested with and without refinement of the peaks.
refinements = {
    name: {
        'model.head.decoder.refine': name
    }
    for name in ('shift', 'none')
}
stock = {
    'shift': {},
    'none': {
        'model.head.decoder.type': 'SRHeatmap',
        'model.head.decoder.refine': 'none'
    }
}
plus = {'parabola': {}, **refinements}
grouped = {'tags': {}}


def row(name, config, tests):
    return dict(name=name, config=config, seeds=(0, ), tests=tests)


rows = [
    row('ResNet-50, simple', 'td-hm_res50_8xb64-210e_coco-256x192', stock),
    row('ResNet-50, SR head', 'td-sr_res50_8xb32-210e_coco-256x192',
        refinements),
    row('ResNet-50, SRPose', 'td-srpose_res50_8xb32-210e_coco-256x192',
        refinements),
    row('ResNet-50, SRPose plus',
        'td-srpose-plus_res50_8xb32-210e_coco-256x192.py', plus),
    row('HRNet-W32, simple', 'td-hm_hrnet-w32_8xb64-210e_coco-256x192',
        stock),
    row('HRNet-W32, SR head', 'td-sr_hrnet-w32_8xb32-210e_coco-256x192',
        refinements),
    row('HRNet-W32, SRPose', 'td-srpose_hrnet-w32_8xb32-210e_coco-256x192',
        refinements),
    row('HRNet-W32, SRPose plus',
        'td-srpose-plus_hrnet-w32_8xb32-210e_coco-256x192.py', plus),
    row('TransPose-R-A4, SR head',
        'td-sr_transpose-r-a4_8xb32-210e_coco-256x192', refinements),
    row('TransPose-R-A4, SRPose',
        'td-srpose_transpose-r-a4_8xb32-210e_coco-256x192', refinements),
    row('HRFormer-S, simple',
        'td-hm_hrformer-small_8xb32-210e_coco-256x192', stock),
    row('HRFormer-S, SR head',
        'td-sr_hrformer-small_8xb32-210e_coco-256x192', refinements),
    row('HRFormer-S, SRPose',
        'td-srpose_hrformer-small_8xb32-210e_coco-256x192', refinements),
    row('ResNet-50 bottom-up, SR head',
        'ae-sr_res50_8xb24-300e_coco-512x512', grouped),
    row('HRNet-W32 bottom-up, simple',
        'ae_hrnet-w32_8xb24-300e_coco-512x512', grouped),
    row('HRNet-W32 bottom-up, SR head',
        'ae-sr_hrnet-w32_8xb24-300e_coco-512x512', grouped),
]

metrics = {
    'AP': 'coco/AP',
    'AP50': 'coco/AP .5',
    'AP75': 'coco/AP .75',
    'AP M': 'coco/AP (M)',
    'AP L': 'coco/AP (L)',
    'AR': 'coco/AR',
}
headline = 'AP'
