"""Kinds of faults, their effects in MMPose, and the report on a dataset."""
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence

STOPS, SKIPPED, WEIGHTLESS = 'stops', 'skipped', 'weight 0'
KEPT, WRONG = 'kept', 'wrong'

EFFECTS = {
    STOPS: 'MMPose stops with an error, which rarely names the annotation',
    SKIPPED: 'left out without a message',
    WEIGHTLESS: 'loaded, but without weight in the loss',
    KEPT: 'used as it is',
    WRONG: 'trained on or scored as something else',
}

FAULT_KINDS = dict(
    file='a file does not exist or has another structure',
    codec='codec and crop differ in input size or pixel mapping',
    metainfo='the metainfo contradicts itself',
    keypoint_names='a category has other keypoints, or another order',
    image_record='an entry of images cannot be used',
    duplicate_id='the last of the entries with one id replaces the others',
    unknown_image='an annotation belongs to an image that is not listed',
    annotation_record='an annotation cannot be read',
    image_sample='the annotations of an image make no bottom-up sample',
    no_instances='no instance is left to train or test on',
    keypoint_count='the number of keypoints differs from the metainfo',
    num_keypoints='num_keypoints and the labelled keypoints disagree',
    box='a box is not finite or has no area inside the image',
    box_corners='a box is x1, y1, x2, y2; x, y, width, height are expected',
    normalized='coordinates are between 0 and 1; pixels are expected',
    keypoint_not_finite='a keypoint is NaN or infinite',
    keypoint_outside='a labelled keypoint lies outside the image',
    keypoint_at_origin='a keypoint without a position is labelled',
    visibility='a visibility is negative, a fraction or NaN',
    evaluated_value='the metric cannot use a value of the annotation file',
    category='the metric misses all instances of a category',
    evaluation='predictions that equal the annotations are not perfect',
    detection='a detection cannot be used',
    no_image='an image file does not exist',
    unreadable_image='an image file cannot be read',
    damaged_image='an image file is incomplete, but OpenCV reads it',
    image_size='boxes are clipped to a recorded size that is wrong',
)


@dataclass
class Fault:
    """A fault of a dataset."""
    kind: str  # key of FAULT_KINDS
    effect: str  # key of EFFECTS
    message: str  # the values at fault
    file: str
    image: Optional[str] = None  # id and name
    annotation: Optional[str] = None  # id, or position in the file

    def __str__(self) -> str:
        """Return the places of the fault and its message."""
        places = [f', {name} {getattr(self, name)}'
                  for name in ('image', 'annotation')
                  if getattr(self, name) is not None]
        return f'{self.file}{"".join(places)}: {self.message}'


@dataclass
class DatasetReport:
    """Faults of one dataset and the numbers of its parts."""
    title: str  # splits, class and scheme
    files: List[str]  # annotation file, then the detection file, if any
    counts: Dict[str, int] = field(default_factory=dict)
    faults: List[Fault] = field(default_factory=list)

    def add(self,
            kind: str,
            effect: str,
            message: str,
            image: Optional[str] = None,
            annotation: Any = None,
            file: Any = None) -> None:
        """Add a fault, by default of the annotation file."""
        if annotation is not None:
            annotation = str(annotation)
        self.faults.append(
            Fault(kind, effect, message, str(file or self.files[0]), image,
                  annotation))

    def count(self, item: str, number: int = 1) -> None:
        """Count items that are no fault."""
        self.counts[item] = self.counts.get(item, 0) + number


def format_reports(reports: Sequence[DatasetReport], limit: int = 10) -> str:
    """Return reports as text, with the faults of a kind together.

    Args:
        reports: Reports on the datasets of a config.
        limit: Number of faults of a kind that are listed.
    """
    lines = []
    for report in reports:
        counts = ', '.join(f'{n} {item}' for item, n in report.counts.items())
        lines += [report.title, *(f'  {file}' for file in report.files),
                  f'  {counts or "nothing was read"}', '']
        for kind, text in FAULT_KINDS.items():
            faults = [fault for fault in report.faults if fault.kind == kind]
            if not faults:
                continue
            effects = dict.fromkeys(fault.effect for fault in faults)
            lines += [f'  {kind}: {len(faults)}, {", ".join(effects)}',
                      f'    {text}',
                      *(f'    - {fault}' for fault in faults[:limit])]
            if len(faults) > limit:
                lines.append(f'    - and {len(faults) - limit} more')
            lines.append('')
    effects = [fault.effect for report in reports for fault in report.faults]
    lines += [f'{effects.count(effect)} {effect}: {text}'
              for effect, text in EFFECTS.items() if effect in effects]
    lines.append(f'{len(effects) or "no"} fault{"s" * (len(effects) != 1)}')
    return '\n'.join(lines)


def shorten(parts: Sequence[str], limit: int = 3) -> str:
    """Join the first parts and count the others."""
    more = [f'and {len(parts) - limit} more'] if len(parts) > limit else []
    return '; '.join([*parts[:limit], *more])
