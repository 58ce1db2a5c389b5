"""The one convention of head pose, on heads whose pose is known because they are drawn.

Angles are about x, y and z (x right, y down, z away from the viewer), R = Rz Ry Rx. In the image: + about x bows the
head, + about y turns the nose to the image's left, + about z leans the crown to the image's right.
"""

import itertools

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data_pipelines import schema
from data_pipelines.prepare import tracking
from data_pipelines.synthetic import expression_basis
from data_pipelines.synthetic.head import FrameState, Head, head
from data_pipelines.synthetic.scene import Renderer, sample_scene
from vasa_jax import landmarks

NOSE, CROWN, CHIN = (landmarks.MEDIAPIPE_INDICES.index(i) for i in (4, 10, 152))
GRID = np.asarray(list(itertools.product((-40, -20, 0, 20, 40), repeat=3)))  # degrees about x, y, z
AHEAD = np.asarray([0.0, 0.0, -1.0])


def _state(degrees, translation=(0, 0, 0), scale=1.0, **strengths):
    """A head turned as a whole, its eyes with it."""
    expression = np.zeros(len(expression_basis.NAMES))
    for name, amount in strengths.items():
        expression[expression_basis.NAMES.index(name)] = amount
    angles = np.radians(np.asarray(degrees, float))
    gaze = schema.gaze_angles(Rotation.from_euler("xyz", angles).apply(AHEAD))
    return FrameState(expression, angles, np.asarray(translation, float), scale, gaze, np.zeros(3))


@pytest.fixture(scope="module", params=[5, 9])
def person(request) -> Head:
    return Head(request.param, texture_size=128)


def test_rotation_translation_and_scale_are_recovered(person):
    """Exactly, with the head's own shape as the reference: speaking, blinking and smiling do not count as movement."""
    rng = np.random.default_rng(0)
    places, scales = rng.normal(0, 0.2, (len(GRID), 3)), rng.uniform(0.6, 1.5, len(GRID))
    marks = [
        person.pose(_state(*pose, jaw=rng.random(), smile=rng.random(), lid_left=rng.random())).landmarks
        for pose in zip(GRID, places, scales)
    ]
    found = landmarks.fit_pose(np.stack(marks), reference=person.pose(_state((0, 0, 0))).canonical)
    # The fit is float64; what it returns is float32.
    np.testing.assert_allclose(np.degrees(found[:, :3]), GRID, atol=1e-3)
    np.testing.assert_allclose(found[:, 3:6], places, atol=1e-5)
    np.testing.assert_allclose(found[:, 6], scales, atol=1e-5)


def test_the_mean_face_as_reference_adds_a_constant_of_the_person(person):
    """What the data holds: a face of another shape than the template's is seen turned by the same little everywhere."""
    marks = np.stack([person.pose(_state(degrees)).landmarks for degrees in GRID])
    found = landmarks.fit_pose(marks)
    turned = Rotation.from_euler("xyz", GRID, degrees=True).inv() * Rotation.from_euler("xyz", found[:, :3])
    constant = np.degrees(turned.as_rotvec())
    np.testing.assert_allclose(constant, np.broadcast_to(constant[0], constant.shape), atol=0.01)
    assert np.linalg.norm(constant[0]) < 7
    assert np.abs(constant[0, 1:]).max() < 2  # faces are symmetric: what there is, is about x
    np.testing.assert_allclose(found[:, 6], found[0, 6], rtol=1e-4)


@pytest.mark.parametrize("axis, mark, along", [(0, NOSE, (0, 1)), (1, NOSE, (-1, 0)), (2, CROWN, (1, 0))])
def test_signs_as_seen_in_the_image(axis, mark, along, person):
    for degrees in (-40, -15, 15, 40):
        points = person.pose(_state(np.eye(3)[axis] * degrees)).landmarks
        straight = person.pose(_state((0, 0, 0))).landmarks
        # Against the middle of both ends of the face, which hardly move.
        moved = [p[mark, :2] - (p[CROWN, :2] + p[CHIN, :2]) / 2 for p in (points, straight)]
        assert np.sign((moved[0] - moved[1]) @ along) == np.sign(degrees)


def test_angles_are_applied_about_x_first():
    """R = Rz Ry Rx, written out, for a pose in which the order matters."""
    x, y, z = 0.3, -0.5, 0.4
    about_x = np.asarray([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.asarray([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.asarray([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    points = 1.2 * landmarks.template() @ (about_z @ about_y @ about_x).T + [0.1, -0.2, 0.3]
    np.testing.assert_allclose(landmarks.fit_pose(points), [x, y, z, 0.1, -0.2, 0.3, 1.2], atol=1e-5)


SIZE = 320
SEEN = np.asarray(
    [(0, 0, 0), (-30, 0, 0), (15, 0, 0), (0, -40, 0), (0, -20, 0), (0, 20, 0), (0, 40, 0), (0, 0, -40), (0, 0, 20),
     (15, -20, 10), (-15, 30, -20), (20, 30, 20)]
)  # fmt: skip


def _seen(tracker: tracking.FaceTracker, identity: int) -> tuple[np.ndarray, np.ndarray]:
    """Poses [t, 7] of SEEN: those the tracker sees in the images, and those of the drawn heads' own points."""
    person = head(identity)
    assert person.traits.style == "photo"
    renderer = Renderer(person, sample_scene(identity), SIZE)
    posed = [person.pose(_state(degrees)) for degrees in SEEN]
    track = tracker.track(f"head{identity}", [renderer(p) for p in posed])
    assert track.valid.all()
    points = landmarks.from_mediapipe(track.points) / (SIZE / 2) - [1, 1, 0]
    return landmarks.fit_pose(schema.MARGIN * points), landmarks.fit_pose(np.stack([p.landmarks for p in posed]))


def test_the_tracker_sees_the_pose_that_was_drawn(shared):
    """Measured on the eleven heads of photographic style among the first fourteen, sixteen poses each, in degrees:

    |      | median error | 90% within | worst |
    | y    | 1            | 3.5        | 9     |
    | z    | 1            | 2          | 5     |
    | x    | 2            | 6          | 14    | after taking off the 5 that it is too much by, for all heads

    Too much about x is a head that looks bowed, perhaps because these heads are drawn without perspective.
    """
    model = shared / "weights" / "face_landmarker_v2_with_blendshapes.task"
    if not model.exists():
        pytest.skip(f"needs MediaPipe's face landmarker, {model}")
    pytest.importorskip("mediapipe", reason="needs the package mediapipe")
    tracker = tracking.MediaPipeTracker(model)
    try:
        seen, drawn = np.moveaxis(np.stack([_seen(tracker, identity) for identity in (6, 8)]), 1, 0)
    finally:
        tracker.close()
    errors = np.degrees(seen[..., :3]) - SEEN
    bias = np.median(errors[..., 0])
    assert 2 < bias < 8
    errors[..., 0] -= bias
    assert (np.median(np.abs(errors), axis=(0, 1)) < [4, 2, 2]).all()
    assert (np.abs(errors).max((0, 1)) < [12, 8, 6]).all()
    # Measured on all those heads: at most 0.05 half widths of the crop beside the place, 0.89-1.13 of the size.
    assert np.abs(seen[..., 3:5] - drawn[..., 3:5]).max() < 0.1
    assert np.abs(np.log(seen[..., 6] / drawn[..., 6])).max() < 0.2
