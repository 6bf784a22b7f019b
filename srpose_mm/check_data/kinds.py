from typing import NamedTuple, Optional

STOPS, SKIPPED, WEIGHTLESS = 'stops', 'skipped', 'weight 0'
KEPT, WRONG = 'kept', 'wrong'

EFFECTS = {
    STOPS: 'an error ends the run, as a rule one that names no annotation',
    SKIPPED: 'left out, without a word',
    WEIGHTLESS: 'loaded, but counts for nothing in the loss',
    KEPT: 'trained on as it stands',
    WRONG: 'trained on, or scored, as something that it is not',
}


class Kind(NamedTuple):
    """A kind of fault.

    Attributes:
        top_down: What MMPose does with it where a sample is a person.
        text: What it is, and why it matters.
        in_bottom_up: The same where a sample is an image; ``None`` where
            that is no other.
    """

    top_down: str
    text: str
    in_bottom_up: Optional[str] = None

    def effect(self, bottom_up: bool) -> str:
        """What MMPose does with it."""
        return bottom_up and self.in_bottom_up or self.top_down


KINDS = dict(
    no_file=Kind(STOPS, 'a file is not there'),
    broken_json=Kind(STOPS, 'a file is not JSON; the error names no file'),
    layout=Kind(STOPS, 'a file is JSON of another layout'),
    no_people=Kind(STOPS, 'nobody is left to train or test on'),
    image_record=Kind(STOPS, 'an entry of images lacks something'),
    recorded_size=Kind(SKIPPED, 'a recorded width or height is not positive',
                       KEPT),
    image_too_large=Kind(
        STOPS, 'OpenCV warps no image with a side of 32767 px or more'),
    duplicate_image_id=Kind(
        WRONG, 'the last image of an id gets the annotations of all'),
    duplicate_annotation_id=Kind(
        WRONG, 'the last annotation of an id takes the place of the others, '
        'on their images too'),
    unknown_image=Kind(SKIPPED, 'an annotation of an image that is not '
                       'listed'),
    keypoint_order=Kind(
        WRONG, 'a category names its keypoints in another order than the '
        'config'),
    keypoint_names=Kind(
        WRONG, 'a category has other keypoints than the config'),
    annotation_record=Kind(STOPS, 'an annotation cannot be read'),
    no_box_or_keypoints=Kind(SKIPPED, 'an annotation lacks its bbox or '
                             'keypoints'),
    keypoint_count=Kind(
        STOPS, 'another number of keypoints than the config; a flipped '
        'sample with too many is cut, and trained on'),
    empty_box=Kind(
        SKIPPED, 'a box has no area, or none in the image; a bottom-up model '
        'leaves the segmentation out of the loss', KEPT),
    box_not_finite=Kind(WEIGHTLESS, 'a box is NaN or infinite', KEPT),
    keypoint_not_finite=Kind(WEIGHTLESS, 'a keypoint is NaN or infinite'),
    keypoint_outside=Kind(
        KEPT, 'a labelled keypoint lies outside the image; it is trained on '
        'where its Gaussian reaches the input, else it has weight 0'),
    keypoint_at_origin=Kind(
        WRONG, 'a keypoint at (0, 0) is labelled, which most often means '
        'that there is none'),
    visibility=Kind(WEIGHTLESS, 'a visibility is none of 0, 1, 2'),
    num_keypoints=Kind(
        SKIPPED, 'num_keypoints says 0 and keypoints are labelled, or the '
        'other way round', KEPT),
    iscrowd=Kind(SKIPPED, 'iscrowd is neither 0 nor 1, and counts as 1',
                 KEPT),
    segmentation=Kind(
        STOPS, 'a segmentation that the mask of a bottom-up model cannot be '
        'made of'),
    area=Kind(WRONG, 'an area that OKS cannot be taken with'),
    headboxes=Kind(
        STOPS, 'the file of heads has another number of people than the '
        'annotations'),
    detection_record=Kind(STOPS, 'a detection cannot be read'),
    detection_image=Kind(STOPS, 'a detection of an image that is not listed'),
    detection_box=Kind(WRONG, 'a detected box holds nothing of the image'),
    detection_score=Kind(WRONG, 'the score of a detection is not finite'),
    no_image=Kind(STOPS, 'an image file is not there'),
    unreadable_image=Kind(STOPS, 'MMPose cannot read an image file'),
    damaged_image=Kind(WRONG, 'an image file is not whole, and read'),
    image_size=Kind(
        WRONG, 'an image has another size than is recorded, to which boxes '
        'are clipped'),
)
