"""Faces are found where they are, crops follow the rule of training, and no face is a clear answer."""

import numpy as np
import pytest

from vasa_jax import landmarks, pictures
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


def disc(size=200, x=110.0, y=90.0, radius=30.0):
    yy, xx = np.mgrid[:size, :size]
    return np.repeat((np.hypot(xx + 0.5 - x, yy + 0.5 - y) < radius)[..., None], 3, -1).astype(np.uint8) * 255


def disc_pose(picture):
    """What a pose encoder reads off a crop, here for discs: scale 1 is a radius of half the crop's half side."""
    weight = picture[..., 0]
    axis = (np.arange(len(weight)) + 0.5) / len(weight) * 2 - 1
    x, y = (weight.sum(0) * axis).sum() / weight.sum(), (weight.sum(1) * axis).sum() / weight.sum()
    radius = np.sqrt(weight.mean() * 4 / np.pi)
    return np.asarray([0, 0, 0, x, y, 0, 2 * radius])


def test_cutting_the_whole_picture_changes_nothing():
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert np.array_equal(portrait.cut(picture, FaceBox(32, 32, 32), 64), picture)
    turned = portrait.cut(picture, FaceBox(32, 32, 32, tilt=90), 64)  # its top lay on the right
    assert np.array_equal(turned, np.rot90(picture))


def test_shrinking_averages():
    picture = np.indices((64, 64)).sum(0)[..., None].repeat(3, -1).astype(np.uint8) % 2 * 255
    assert np.abs(portrait.cut(picture, FaceBox(32, 32, 32), 16).astype(int) - 128).max() <= 1


def test_outside_the_picture_it_is_mirrored():
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[:, :20] = 200
    out = portrait.cut(picture, FaceBox(0, 20, 40), 80)
    assert (out[:, 42:59] == 200).all() and (out[:, 22:39] == 200).all()


@pytest.mark.parametrize("tilt", [0.0, 30.0])
def test_moved_follows_the_crop_rule(tilt):
    """A head of any pose, seen in the moved box, has scale 1 and no translation in x and y."""
    box, pose = FaceBox(100, 80, 50, tilt), np.asarray([0.1, -0.2, 0.05, 0.12, -0.07, 0.0, 1.15])
    points = landmarks.template()[:, :2] * 1.15 + pose[3:5]
    right, down = portrait._axes(tilt)
    pixels = [box.x, box.y] + box.half * (points[:, :1] * right + points[:, 1:] * down)
    new = box.moved(pose)
    away = (pixels - [new.x, new.y]) / new.half
    np.testing.assert_allclose(np.stack([away @ right, away @ down], -1), landmarks.template()[:, :2], atol=1e-6)


def test_refining_finds_the_rule():
    box = portrait.refine(disc(), FaceBox(100, 100, 70), disc_pose, 128)
    assert abs(box.x - 110) < 1 and abs(box.y - 90) < 1 and abs(box.half - 60) < 1.5


@pytest.mark.parametrize("pose", [np.full(7, np.nan), np.asarray([0, 0, 0, 5, 0, 0, 1.0]), np.zeros(7)])
def test_refining_keeps_the_first_box_where_the_encoder_is_lost(pose):
    first = FaceBox(100, 100, 70)
    assert portrait.refine(disc(), first, lambda _: pose, 64) == first


@pytest.mark.parametrize("kind", ["grey", "noise", "ramp"])
def test_no_face_is_said_with_advice(kind):
    rng = np.random.default_rng(1)
    picture = {
        "grey": np.full((120, 160, 3), 128, np.uint8),
        "noise": rng.integers(0, 256, (120, 160, 3), dtype=np.uint8),
        "ramp": np.linspace(0, 255, 160).astype(np.uint8)[None, :, None].repeat(120, 0).repeat(3, -1),
    }[kind]
    with pytest.raises(InputError, match="tree.png: no face was found; give a picture"):
        portrait.find_face(picture, name="tree.png")


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
    picture, truth = head
    close(portrait.find_face(picture), truth)


def test_of_several_faces_the_largest(head):
    picture, truth = head
    wide = np.full((160, 300, 3), 128, np.uint8)
    wide[:, :160] = picture
    wide[40:120, 200:280] = portrait.cut(picture, FaceBox(80, 80, 80), 80)
    box = portrait.find_face(wide)
    close(box, truth)
    assert box.faces == 2


def test_a_face_on_its_side_is_stood_up(head):
    picture, truth = head
    box = portrait.find_face(np.rot90(picture, -1))  # its top now on the right
    assert box.tilt == 90
    close(box, FaceBox(160 - truth.y, truth.x, truth.half))


@pytest.mark.parametrize("name", TRACKED)
def test_portraits(shared, name):
    """Against tracks: the cascades alone are within 5 % of a half side, and 20 % in scale."""
    picture = pictures.read_image(shared / "data" / "portraits" / name)
    close(portrait.find_face(picture), FaceBox(*TRACKED[name]), shift=0.08, scale=0.2)


def test_a_clip_has_one_box(head):
    picture, truth = head
    moved = np.roll(picture, 4, axis=1)
    box = portrait.find_in_video([picture, moved, np.zeros_like(picture), moved])
    close(box, truth)
    with pytest.raises(InputError, match="clip.mp4: no face"):
        portrait.find_in_video([np.zeros_like(picture)], name="clip.mp4")


def test_a_useless_face_model_is_refused(tmp_path):
    (tmp_path / "m.task").write_text("no model")
    with pytest.raises(InputError, match="m.task"):
        portrait.find_face(disc(), face_model=tmp_path / "m.task")
    with pytest.raises(InputError, match="does not exist"):
        portrait.find_face(disc(), face_model=tmp_path / "missing.task")
