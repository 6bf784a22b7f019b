"""Write the results page of each family of configs from its metafiles.

``make results`` runs this script.
"""
import argparse
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent

INTRODUCTION = {
    'sr_head': """# SR head

A super-resolution head instead of the heatmap head: top-down
(`td-sr_…`) and bottom-up (`ae-sr_…`, with associative embedding).
""",
    'srpose': """# SRPose

The coarse-to-fine SRPose neck with an SR block on each of its levels.
"""
}

NOTE = """
Columns marked *paper* are what the
[paper](https://arxiv.org/abs/2307.16765) reports for its own code: 8 GPUs,
flip test, and for top-down COCO a person detector of 56.4 AP. This project has
not trained the configs of COCO, CrowdPose and MPII on the full datasets yet,
and has no weights of them.
"""


def main(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        '--check', action='store_true', help='fail if a page is out of date')
    args = parser.parse_args(argv)
    stale = []
    for path, page in pages().items():
        if args.check and path.read_text('utf-8') != page:
            stale.append(str(path.relative_to(ROOT)))
        elif not args.check:
            path.write_text(page, 'utf-8')
    if stale:
        sys.exit(f'{", ".join(stale)} differs from the metafiles; run '
                 '`make results`')


def pages():
    """Return the text of each page by its path."""
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())
    texts = {}
    for name in index['Import']:
        metafile = ROOT / name
        family = metafile.parents[1]
        models = yaml.safe_load(metafile.read_text())['Models']
        texts.setdefault(family, INTRODUCTION[family.name])
        texts[family] += table(models, family)
    return {family / 'README.md': text + NOTE
            for family, text in texts.items()}


def table(models, family):
    """Return the models of a metafile as a section with a table."""
    columns = []
    for model in models:
        columns += [metric for metric in metrics(model)
                    if metric not in columns]
    heads = ['config', *columns]
    rows = [heads, ['---'] * len(heads)]
    for model in models:
        config = (ROOT / model['Config']).relative_to(family)
        values = [str(metrics(model).get(column, '')) for column in columns]
        rows.append([f'[{model["Name"]}]({config})', *values])
    dataset = models[0]['Metadata']['Training Data']
    lines = ['| ' + ' | '.join(row) + ' |' for row in rows]
    return '\n'.join(['', f'## {dataset}', '', *lines, ''])


def metrics(model):
    return model['Results'][0]['Metrics']


if __name__ == '__main__':
    main()
