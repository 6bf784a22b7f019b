from typing import Any, Dict, List, NamedTuple, Optional

from .kinds import KINDS


class Fault(NamedTuple):
    """One thing wrong with a data set.

    Attributes:
        kind: One of :data:`KINDS`.
        effect: What MMPose does with it: ``'stops'``, ``'skipped'``,
            ``'weight 0'``, ``'kept'`` or ``'wrong'``.
        file: The file that it is in.
        image: Id and name of the image.
        annotation: Id of the annotation, or its place in the file.
        message: What is wrong, with the values.
    """

    kind: str
    effect: str
    file: str
    image: Optional[str]
    annotation: Optional[str]
    message: str


class Findings:
    """The faults of one data set of a config, and what was looked at.

    Args:
        bottom_up: Whether a sample is an image and not a person, which
            decides what MMPose does with some faults.
    """

    def __init__(self, bottom_up: bool):
        self.bottom_up = bottom_up
        self.faults: List[Fault] = []
        self.counts: Dict[str, int] = {}

    def add(self,
            kind: str,
            message: str,
            file: Any,
            image: Optional[str] = None,
            annotation: Any = None,
            effect: Optional[str] = None) -> None:
        """Note a fault; ``None`` takes the effect that its kind has."""
        if effect is None:
            effect = KINDS[kind].effect(self.bottom_up)
        if annotation is not None:
            annotation = str(annotation)
        self.faults.append(
            Fault(kind, effect, str(file), image, annotation, message))

    def count(self, what: str, number: int = 1) -> None:
        """Count things that are no fault."""
        self.counts[what] = self.counts.get(what, 0) + number
