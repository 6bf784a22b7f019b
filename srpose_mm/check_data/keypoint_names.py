import re
from typing import List

from .findings import Findings
from .sources import Source


def check_keypoint_names(source: Source, categories: List[dict],
                         findings: Findings) -> None:
    """Check that categories name the keypoints that a config counts on.

    A name goes with another if the words of one are among those of the
    other: ``head`` with ``top_head``, ``0`` with ``kpt-0``.

    Args:
        source: The data set.
        categories: Categories of its file; those without ``keypoints`` pass.
        findings: Gets the faults.
    """
    meta = source.dataset.metainfo
    expected = [
        meta['keypoint_id2name'][index]
        for index in range(meta['num_keypoints'])
    ]
    for category in categories:
        got = category.get('keypoints')
        if not isinstance(got, list) or not got:
            continue
        got = [str(name) for name in got]
        where = f'category {category.get("id")}: '
        path = source.dataset.ann_file
        if len(got) != len(expected):
            findings.add(
                'keypoint_names', f'{where}{len(got)} keypoints, the config '
                f'has {len(expected)}', path)
        swapped = _pairs(got, expected, lambda name, wanted: name != wanted
                         and name in expected)
        other = _pairs(got, expected, lambda name, wanted:
                       name not in expected and not _alike(name, wanted))
        for kind, pairs in (('keypoint_order', swapped), ('keypoint_names',
                                                          other)):
            if pairs:
                findings.add(kind, where + in_short(pairs), path)


def in_short(parts: List[str], limit: int = 3) -> str:
    """The first of some parts, and how many more there are."""
    text = '; '.join(parts[:limit])
    if len(parts) > limit:
        text += f'; and {len(parts) - limit} more'
    return text


def _pairs(got: List[str], expected: List[str], differ) -> List[str]:
    return [
        f'keypoint {index} is {name}, in the config {wanted}'
        for index, (name, wanted) in enumerate(zip(got, expected))
        if differ(name, wanted)
    ]


def _alike(name: str, other: str) -> bool:
    words, others = (
        set(re.findall('[a-z0-9]+', text.lower())) for text in (name, other))
    return words <= others or others <= words
