"""Faces are found where they are, crops follow the rule of training, and no face is a clear answer."""

import cv2
import numpy as np
import pytest

from vasa_jax import images
from vasa_jax.errors import InputError
from vasa_jax.inference import portrait
from vasa_jax.inference.portrait import FaceBox

# Crops of the portraits by 478-point tracks: centre x, y and half side in pixels.
TRACKED = {
    "astronaut.png": (224.7, 119.1, 84.1),
    "monalisa.png": (138.0, 116.2, 66.5),
    "aiface2.png": (134.3, 141.4, 130.7),
    "statue.jpg": (269.7, 307.1, 256.6),
}


def test_cutting_the_whole_image_changes_nothing():
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert np.array_equal(portrait.cut(image, FaceBox(32, 32, 32), 64), image)
    turned = portrait.cut(image, FaceBox(32, 32, 32, tilt=90), 64)  # its top lay on the right
    assert np.array_equal(turned, np.rot90(image))


def test_shrinking_averages():
    image = np.indices((64, 64)).sum(0)[..., None].repeat(3, -1).astype(np.uint8) % 2 * 255
    assert np.abs(portrait.cut(image, FaceBox(32, 32, 32), 16).astype(int) - 128).max() <= 1


def test_beyond_the_image_nothing_is_shown_again():
    """A face cut off at the edge must not appear once more: what lies beyond is smooth, in the colours of the edge."""
    image = np.random.default_rng(2).integers(100, 156, (40, 40, 3), dtype=np.uint8)
    image[:, :20] = [200, 60, 10]
    out = portrait.cut(image, FaceBox(20, 20, 40), 80)
    assert np.array_equal(out[20:60, 20:60], image)
    beyond = out.astype(int)
    for strip in (beyond[:18], beyond[62:], beyond[:, :18], beyond[:, 62:]):
        assert max(np.abs(np.diff(strip, axis=axis)).max() for axis in (0, 1)) < 16  # the noise has steps of 55
    left, right = out[40, 2].astype(int), out[40, 77].astype(int)
    assert left[0] > right[0] + 15 and left[2] < right[2] - 15  # redder beside the red half


def test_one_colour_goes_on_as_itself():
    out = portrait.cut(np.full((9, 14, 3), [7, 130, 250], np.uint8), FaceBox(2, 8, 40, tilt=30), 33)
    assert (np.abs(out.astype(int) - [7, 130, 250]) <= 1).all()


@pytest.mark.parametrize("kind", ["grey", "noise", "ramp"])
def test_no_face_is_said_with_advice(kind):
    rng = np.random.default_rng(1)
    image = {
        "grey": np.full((120, 160, 3), 128, np.uint8),
        "noise": rng.integers(0, 256, (120, 160, 3), dtype=np.uint8),
        "ramp": np.linspace(0, 255, 160).astype(np.uint8)[None, :, None].repeat(120, 0).repeat(3, -1),
    }[kind]
    with pytest.raises(InputError, match="tree.png: no face was found; give an image"):
        portrait.find_face(image, name="tree.png")


def follower(truth, gain=1.0):
    """A pose encoder that sees how a crop lies over `truth`: colours of the image tell the place."""

    def pose_of(crop):
        left, right = crop[0, 0, :2].astype(float), crop[0, -1, :2].astype(float)
        below = crop[-1, 0, :2].astype(float)
        across, centre = (right - left) * 255, (right + below) / 2 * 255
        half = np.linalg.norm(across) / 2
        shift = (np.asarray([truth.x, truth.y]) - centre) / half
        roll = -np.arctan2(across[1], across[0])
        return np.asarray([0, 0, gain * roll, *(gain * shift), 0, (truth.half / half) ** gain])

    return pose_of


def test_an_encoder_that_follows_is_told_from_one_that_guesses():
    """`_follows` is the share of a known movement that is read: 1 for a perfect encoder, 0 for a constant one."""
    chart = np.zeros((256, 256, 3), np.uint8)
    chart[..., 1], chart[..., 0] = np.mgrid[:256, :256]
    box = FaceBox(128, 128, 60)
    for gain in (1.0, 0.5, 0.0):
        assert portrait._follows(chart, box, follower(box, gain), 64) == pytest.approx(gain, abs=0.03)
    assert portrait._follows(chart, box, lambda _: np.asarray([0, 0, 0, 0.1, 0.1, 0, 1.0]), 64) == 0
    assert np.isnan(portrait._follows(chart, box, lambda _: np.full(7, np.nan), 64))


@pytest.mark.parametrize(
    ("score", "gain", "taken"), [(0.95, 0.0, True), (0.8, 0.0, False), (0.8, 0.5, True), (0.95, -0.5, False)]
)
def test_a_doubtful_face_needs_the_encoder(score, gain, taken):
    chart = np.zeros((256, 256, 3), np.uint8)
    chart[..., 1], chart[..., 0] = np.mgrid[:256, :256]
    box = FaceBox(128, 128, 60)
    check = (chart, box, score, follower(box, gain), 64, "dog.jpg")
    if taken:
        portrait._check_upright(*check)
    else:
        with pytest.raises(InputError, match="dog.jpg: what looks most like a face, about 128,128, is none"):
            portrait._check_upright(*check)


def test_a_lost_encoder_refuses():
    with pytest.raises(InputError, match="is none to the face model"):
        portrait._check_upright(
            np.zeros((90, 90, 3), np.uint8), FaceBox(45, 45, 40), 0.99, lambda _: np.full(7, np.nan), 64, "a"
        )


@pytest.fixture(scope="module")
def head():
    """A procedural head, 160 px over -1.25..1.25, and the box of the crop rule."""
    from data_pipelines.synthetic.clip import make_clip

    clip = make_clip(4, 4, 1, 160)
    pose = clip["pose"][0]
    truth = FaceBox(80 + 64 * float(pose[3]), 80 + 64 * float(pose[4]), 64 * float(pose[6]))
    return np.ascontiguousarray(clip["frames"][0]), truth


def close(box, truth, shift=0.12, scale=0.2):
    assert np.hypot(box.x - truth.x, box.y - truth.y) < shift * truth.half
    assert abs(np.log(box.half / truth.half)) < scale


def test_a_procedural_head_is_found(head):
    image, truth = head
    close(portrait.find_face(image), truth)


def test_of_several_faces_the_largest(head):
    image, truth = head
    wide = np.full((160, 300, 3), 128, np.uint8)
    wide[:, :160] = image
    wide[40:120, 200:280] = portrait.cut(image, FaceBox(80, 80, 80), 80)
    box = portrait.find_face(wide)
    close(box, truth)
    assert box.faces == 2


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_face_that_lies_is_stood_up(head, turns):
    """An image turned clockwise by a right angle gives the same crop, to the pixel."""
    image, _ = head
    upright, box = portrait.find_face(image), portrait.find_face(np.ascontiguousarray(np.rot90(image, -turns)))
    assert box.tilt % 360 == 90 * turns
    straight = portrait.cut(image, upright, 64).astype(int)
    turned = portrait.cut(np.rot90(image, -turns).copy(), box, 64).astype(int)
    assert np.abs(straight - turned).max() <= 2


def test_a_face_that_leans_is_crooked_no_more(head):
    image, _ = head
    matrix = cv2.getRotationMatrix2D((80, 80), -40, 1)  # clockwise
    leaning = cv2.warpAffine(image, matrix, (160, 160), borderMode=cv2.BORDER_REPLICATE)
    assert abs(portrait.find_face(leaning).tilt - 40) <= 10
    assert portrait.find_face(image).tilt == 0


@pytest.mark.parametrize("size", [60, 1200])
def test_small_and_large_faces(head, size):
    """A face of a twentieth of the image's side, and one that fills it."""
    image, truth = head
    if size == 60:
        small = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
        wide = np.full((700, 900, 3), 128, np.uint8)
        wide[500 : 500 + size, 700 : 700 + size] = small
        at = FaceBox(700 + truth.x * size / 160, 500 + truth.y * size / 160, truth.half * size / 160)
        close(portrait.find_face(wide), at)
    else:
        large = cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC)
        close(portrait.find_face(large), FaceBox(*(value * size / 160 for value in (truth.x, truth.y, truth.half))))


def test_a_face_cut_off_is_refused(head):
    image, truth = head
    x, y, half = (round(value) for value in (truth.x, truth.y, truth.half))
    with pytest.raises(InputError, match=r"half.png: (only \d+ % of the face is in the image|no face was found)"):
        portrait.find_face(image[: y + half // 6, x - half // 2 : x + half // 2], name="half.png")
    with pytest.raises(InputError, match="half.png: only 51 % of the face is in the image; give one"):
        portrait._check_shown(image, FaceBox(0, 80, 60), "half.png")
    portrait._check_shown(image, truth, "whole.png")


@pytest.mark.parametrize("name", TRACKED)
def test_portraits(shared, name):
    image = images.read_image(shared / "data" / "portraits" / name)
    close(portrait.find_face(image), FaceBox(*TRACKED[name]), shift=0.08, scale=0.12)


def test_a_clip_has_one_box(head):
    image, truth = head
    moved = np.roll(image, 4, axis=1)
    box = portrait.find_in_video([image, moved, np.zeros_like(image), moved])
    close(box, truth)
    with pytest.raises(InputError, match="clip.mp4: no face"):
        portrait.find_in_video([np.zeros_like(image)], name="clip.mp4")


def test_a_useless_face_model_is_refused(tmp_path):
    (tmp_path / "m.task").write_text("no model")
    with pytest.raises(InputError, match="m.task"):
        portrait.find_face(np.zeros((90, 90, 3), np.uint8), face_model=tmp_path / "m.task")
    with pytest.raises(InputError, match="does not exist"):
        portrait.find_face(np.zeros((90, 90, 3), np.uint8), face_model=tmp_path / "missing.task")


@pytest.mark.parametrize(
    ("box", "lines"),
    [
        ({"faces": 1, "tilt": 0.0}, []),
        ({"faces": 3, "tilt": 0.0}, ["a.jpg shows 3 faces; the largest speaks"]),
        (
            {"faces": 1, "tilt": 90.0},
            ["a.jpg: the face does not stand upright; turned by 90 degrees counter-clockwise"],
        ),
        ({"faces": 1, "tilt": -30.0}, ["a.jpg: the face does not stand upright; turned by 30 degrees clockwise"]),
        ({"faces": 1, "tilt": 180.0}, ["a.jpg: the face does not stand upright; turned by 180 degrees"]),
    ],
)
def test_what_was_decided_about_the_portrait_is_said(box, lines):
    assert portrait.remarks("a.jpg", box) == lines
