"""Heads compared on CrowdPose: trainval, test with detected boxes."""
title = 'CrowdPose test'
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
grouped = {'tags': {}}


def row(name, config, tests):
    return dict(name=name, config=config, seeds=(0, ), tests=tests)


rows = [
    row('ResNet-50, simple', 'td-hm_res50_8xb64-210e_crowdpose-256x192',
        stock),
    row('ResNet-50, SR head', 'td-sr_res50_8xb32-210e_crowdpose-256x192',
        refinements),
    row('ResNet-50, SRPose', 'td-srpose_res50_8xb32-210e_crowdpose-256x192',
        refinements),
    row('HRNet-W32, simple', 'td-hm_hrnet-w32_8xb64-210e_crowdpose-256x192',
        stock),
    row('HRNet-W32, SR head', 'td-sr_hrnet-w32_8xb32-210e_crowdpose-256x192',
        refinements),
    row('HRNet-W32, SRPose',
        'td-srpose_hrnet-w32_8xb32-210e_crowdpose-256x192', refinements),
    row('ResNet-50 bottom-up, SR head',
        'ae-sr_res50_8xb24-300e_crowdpose-512x512', grouped),
    row('HRNet-W32 bottom-up, SR head',
        'ae-sr_hrnet-w32_8xb24-300e_crowdpose-512x512', grouped),
]

metrics = {
    'AP': 'crowdpose/AP',
    'AP50': 'crowdpose/AP .5',
    'AP75': 'crowdpose/AP .75',
    'AP easy': 'crowdpose/AP(E)',
    'AP medium': 'crowdpose/AP(M)',
    'AP hard': 'crowdpose/AP(H)',
    'AR': 'crowdpose/AR',
}
headline = 'AP'
