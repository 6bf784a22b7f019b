from typing import Dict, List, NamedTuple

from .findings import Fault
from .kinds import EFFECTS, KINDS


class Checked(NamedTuple):
    """What a check of one data set of a config found.

    Attributes:
        title: Its data loaders, type and scheme.
        files: Its files of annotations and detections.
        counts: What was looked at, to how many.
        faults: What is wrong.
    """

    title: str
    files: List[str]
    counts: Dict[str, int]
    faults: List[Fault]


def format_checked(checked: List[Checked], limit: int = 10) -> str:
    """The faults of all data sets as text, by kind.

    Args:
        checked: What was found.
        limit: How many faults of a kind are listed; the numbers are of all.
    """
    lines = []
    for part in checked:
        counts = ', '.join(f'{n} {what}' for what, n in part.counts.items())
        lines += [part.title, *(f'  {file}' for file in part.files),
                  f'  {counts or "nothing was read"}', '']
        for kind, faults in _by_kind(part.faults).items():
            effects = ', '.join(
                dict.fromkeys(fault.effect for fault in faults))
            lines += [
                f'  {kind}: {len(faults)}, {effects}',
                f'    {KINDS[kind].text}',
                *(f'    - {_line(fault)}' for fault in faults[:limit])
            ]
            if len(faults) > limit:
                lines.append(f'    - and {len(faults) - limit} more')
            lines.append('')
    faults = [fault for part in checked for fault in part.faults]
    for effect, text in EFFECTS.items():
        number = sum(fault.effect == effect for fault in faults)
        if number:
            lines.append(f'{number} {effect}: {text}')
    lines.append(f'{len(faults) or "no"} fault{"s" * (len(faults) != 1)}')
    return '\n'.join(lines)


def as_json(checked: List[Checked]) -> List[dict]:
    """The same as plain values, with every fault."""
    return [
        dict(
            part._asdict(), faults=[fault._asdict() for fault in part.faults])
        for part in checked
    ]


def _by_kind(faults: List[Fault]) -> Dict[str, List[Fault]]:
    kinds = {}
    for fault in faults:
        kinds.setdefault(fault.kind, []).append(fault)
    return kinds


def _line(fault: Fault) -> str:
    place = [fault.file]
    if fault.image is not None:
        place.append(f'image {fault.image}')
    if fault.annotation is not None:
        place.append(f'annotation {fault.annotation}')
    return f'{", ".join(place)}: {fault.message}'
