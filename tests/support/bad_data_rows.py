"""Faults, their effects in MMPose, and the messages of check_dataset."""
import json

from .bad_data import (
    INF,
    KEPT,
    NAN,
    SKIPPED,
    STOPS,
    WEIGHTLESS,
    WRONG,
    Row,
    both,
    contents,
    image,
    instance,
    keypoints,
    normalized_keypoints,
    nose,
    odd_box,
    odd_nose,
    picture,
    stops,
)


def no_image(change, message, error):
    return Row(change, ('image_record', 'unknown_image'), both(STOPS), message,
               errors=both(error))


INSTANCES = dict(
    nan_keypoint=odd_nose('keypoint_not_finite', WEIGHTLESS,
                          r'nose \(nan, 20', 16, NAN, 20, 2),
    infinite_keypoint=odd_nose('keypoint_not_finite', WEIGHTLESS,
                               r'nose \(20, -inf', 16, 20, -INF, 2),
    null_keypoint=odd_nose('keypoint_not_finite', WEIGHTLESS,
                           r'nose \(nan, nan', 16, None, None, 2),
    negative_keypoint=odd_nose('keypoint_outside', KEPT, r'nose \(-30, 20',
                               16, -30, 20, 2),
    huge_keypoint=odd_nose('keypoint_outside', KEPT, r'nose \(1e\+30, 20',
                           16, 1e30, 20, 2),
    keypoint_below_the_image=odd_nose(
        'keypoint_outside', KEPT, r'nose \(30, 67', 17, 30, 67, 2,
        bbox=[16, 24, 28, 39]),
    keypoint_at_origin=odd_nose('keypoint_at_origin', WRONG, r'nose \(0, 0',
                                17, 0, 0, 2, bbox=[0, 0, 40, 40]),
    negative_visibility=odd_nose('visibility', WEIGHTLESS, 'nose .*, -1', 16,
                                 20, 20, -1),
    nan_visibility=odd_nose('visibility', WEIGHTLESS, 'nose .*, nan', 16, 20,
                            20, NAN),
    visibility_07=odd_nose('visibility', WRONG, r'nose .*, 0\.7', 16.7, 20,
                           20, .7),
    visibility_03=odd_nose('visibility', WEIGHTLESS, r'nose .*, 0\.3', 16, 20,
                           20, .3),
    box_without_width=odd_box(r'bbox \[16, 8, 0, 32\] in .* 64x64 px',
                              instance(bbox=[16, 8, 0, 32])),
    negative_box=odd_box(r'bbox \[16, 8, -5, 32\]',
                         instance(bbox=[16, 8, -5, 32])),
    box_outside=odd_box(r'bbox \[100, 8, 5, 32\]',
                        instance(bbox=[100, 8, 5, 32])),
    nan_box=odd_box(r'bbox \[nan, 8, 28, 32\]',
                    instance(bbox=[NAN, 8, 28, 32]), 'box', WEIGHTLESS, 0),
    infinite_box=odd_box(r'bbox \[16, 8, inf, 32\]',
                         instance(bbox=[16, 8, INF, 32]), 'box',
                         WRONG, 17),
    box_at_infinity=odd_box(r'bbox \[inf, 8, 5, 32\]',
                            instance(bbox=[INF, 8, 5, 32]), 'box'),
    normalized_box=odd_box('^bbox; ', instance(bbox=[.25, .12, .44, .5]),
                           'normalized', WEIGHTLESS, 0),
    normalized_keypoints=Row(
        normalized_keypoints(), ('normalized', ), (WEIGHTLESS, WRONG),
        '^keypoints; ', (0, 17)),
    normalized_box_and_keypoints=Row(
        normalized_keypoints(bbox=[.25, .12, .44, .5]), ('normalized', ),
        both(WRONG), '^bbox and keypoints; ', both(17)),
    num_keypoints_0=odd_box('num_keypoints is 0, 17 are labelled',
                            instance(num_keypoints=0), 'num_keypoints'),
    no_label=Row(
        keypoints(51, [20, 20, 0]), ('num_keypoints', ), both(WEIGHTLESS),
        'num_keypoints is 17, 0 are labelled', both(0)),
    all_keypoints_negative=Row(
        keypoints(51, [-30, -30, 2]), ('keypoint_outside', ), (SKIPPED, KEPT),
        r'nose \(-30, -30, 1\); .* and 14 more', (None, 0)),
    visibility_3=Row(nose(20, 20, 3), (), both(None), '', both(17)),
    no_box=Row(instance(bbox=...), (), both(None), ''),
    no_keypoints=Row(instance(keypoints=...), (), both(None), ''),
    unknown_image=Row(
        instance(image_id=99), ('unknown_image', ), both(SKIPPED),
        'no usable image has the id 99'),
    image_id_as_text=Row(
        instance(image_id='1'), ('unknown_image', ), both(SKIPPED),
        "no usable image has the id '1'"),
    sixteen_keypoints=stops(
        keypoints(48), 'keypoint_count', '16 keypoints, expected 17',
        'index 16 is out of bounds', 'must match exactly'),
    fifty_values=stops(
        keypoints(50), 'annotation_record', 'cannot reshape array of size 50',
        'cannot reshape array of size 50'),
    no_values=stops(
        keypoints(0), 'annotation_record', 'zero-size array',
        'zero-size array', 'must match exactly'),
    text_as_keypoint=stops(
        nose('a', 20, 2), 'annotation_record', 'could not convert string',
        'could not convert string'),
    box_of_three=stops(
        instance(bbox=[1, 2, 3]), 'annotation_record', 'expected 4, got 3',
        'expected 4, got 3'),
    null_box=stops(
        instance(bbox=None), 'annotation_record', 'NoneType', 'NoneType'),
    no_id=stops(
        instance(id=...), 'annotation_record', r'got \[None, 1, 1\]', "'id'"),
    no_category=stops(
        instance(category_id=...), 'annotation_record', r'got \[10, 1, None\]',
        "'category_id'"),
    no_image_id=stops(
        instance(image_id=...), 'annotation_record', 'image_id', 'image_id'),
    number_in_a_list=Row(
        instance(num_keypoints=[17]), ('image_sample', ), (None, STOPS),
        'not iterable', errors=('', 'not iterable')),
    segmentation_lacking_beside_others=Row(
        lambda content, folder: content['annotations'][1].update(
            segmentation=None), ('image_sample', ), (None, STOPS),
        'not iterable', errors=('', 'not iterable')),
    polygon_of_three_values=Row(
        instance(segmentation=[[1, 2, 3]], iscrowd=1), ('image_sample', ),
        (None, STOPS), 'input type is not supported',
        errors=('', 'input type is not supported')),
    crowd_without_polygons=Row(
        instance(segmentation=[], iscrowd=1), ('image_sample', ),
        (None, STOPS), 'out of range', errors=('', 'out of range')),
)

IMAGES = dict(
    no_width=no_image(image(width=...), 'None, 64', "'width'"),
    image_id_text=no_image(image(id='a'), "'a'", 'not all arguments'),
    image_id_fraction=no_image(
        image(id=1.), r'1\.0, .*png', 'not subscriptable'),
    no_file_name=no_image(image(file_name=...), 'None', "'file_name'"),
    width_0=Row(
        image(width=0), ('box', 'keypoint_outside'), (SKIPPED, KEPT),
        '0x64 px|nose', (None, 17)),
    missing=stops(
        contents(lambda data: None), 'no_image', 'no such file',
        r'No such file.*1\.png'),
    zero_bytes=stops(
        contents(lambda data: b''), 'unreadable_image', 'empty',
        r'(?s)imdecode.*1\.png'),
    text=stops(
        contents(lambda data: b'text' * 99), 'unreadable_image',
        'failed to load', r'failed to load.*1\.png'),
    truncated=stops(
        contents(lambda data: data[:len(data) // 2]), 'unreadable_image',
        'truncated|broken', r'failed to load.*1\.png'),
    one_pixel=Row(
        picture(1, 1, 3, width=1, height=1), ('box',
                                              'keypoint_outside'),
        (SKIPPED, KEPT), '1x1 px|nose', (None, 0)),
    other_size=Row(
        picture(64, 32, 3), ('image_size', ), both(WRONG),
        '32x64 px, recorded are 64x64 px', (17, None)),
)

FILES = dict(
    broken_json=stops(
        lambda content, folder: json.dumps(content)[:900], 'file',
        'line 1 column 9', 'line 1 column 9'),
    empty_file=stops(
        lambda content, folder: '', 'file', 'invalid JSON, Expecting',
        'Expecting value'),
    list=stops(
        lambda content, folder: [content], 'file', 'a dict with images',
        'not supported'),
    no_instances=stops(
        lambda content, folder: content['annotations'].clear(), 'no_instances',
        'no instance', 'need at least one array'),
    no_images=stops(
        lambda content, folder: dict(categories=content['categories']),
        'no_instances', 'no instance', 'need at least one array'),
)

ROWS = {**INSTANCES, **IMAGES, **FILES}
