"""Scoring of found faces: boxes turn with their image, outcomes follow the rule, drawn images hold no face."""

import cv2
import numpy as np
import pytest

from experiments.evaluation import portraits
from vasa_jax.errors import InputError
from vasa_jax.inference import portrait
from vasa_jax.inference.portrait import FaceBox


def test_boxes_turn_with_the_image():
    image = np.zeros((40, 60, 3), np.uint8)
    image[5:15, 20:50] = 255
    for turn in portraits.TURNS:
        x0, y0, x1, y1 = portraits.turned_box(np.asarray([20, 5, 50, 15]), image.shape, turn).astype(int)
        turned = np.rot90(image, -turn)
        assert (turned[y0:y1, x0:x1] == 255).all() and turned.sum() == 255 * 3 * (y1 - y0) * (x1 - x0)


@pytest.mark.parametrize("turn", portraits.TURNS)
def test_a_turned_crop_holds_the_turned_face(turn):
    box = FaceBox(30, 45, 20)
    there = portraits.turned_box(np.asarray([box.x, box.y] * 2), (90, 70), turn)
    turned = FaceBox(there[0], there[1], 20, 90.0 * turn)
    rectangle = portraits.turned_box(portraits.face_rectangle(box), (90, 70), turn)
    np.testing.assert_allclose(portraits.face_rectangle(turned), rectangle, atol=1e-4)


@pytest.fixture
def folder(tmp_path):
    """Three sources of white images of 50 pixels; two say where the face is, in images of 100."""
    for source, count in (("a", 3), ("b", 1), ("textures", 2)):
        (tmp_path / source).mkdir()
        for k in range(count):
            cv2.imwrite(str(tmp_path / source / f"{k}.png"), np.full((50, 50, 3), 255, np.uint8))
        if source != "textures":
            rows = [
                "file,size,face_x0,face_y0,face_x1,face_y1",
                *(f"{k}.png,100,30,30,72,82" for k in range(count)),
                "",
            ]
            (tmp_path / source / "index.csv").write_text("\n".join(rows))
    return tmp_path


def test_sources_take_turns(folder):
    chosen = portraits.photographs(folder, 3, seed=1)
    assert [row["source"] for row in chosen] == ["a", "b", "a"]
    assert chosen[0]["box"] == [30, 30, 72, 82, 100]
    assert len(portraits.photographs(folder, 0)) == 4  # what no list names is no photograph
    (plain,) = {row["box"] is None for row in portraits.photographs(folder / "textures", 0)}
    assert plain
    with pytest.raises(InputError, match="is no folder"):
        portraits.photographs(folder / "absent", 0)
    (folder / "c").mkdir()
    with pytest.raises(InputError, match="no photographs"):
        portraits.photographs(folder / "c", 0)


def test_outcomes(folder):
    """Right in one turn, elsewhere in the next, wrongly turned, and refused."""
    answers = iter([FaceBox(25.5, 27.5, 20), FaceBox(10, 10, 5, 90), FaceBox(25.5, 22.5, 20, 0), None])

    def find(_):
        if (answer := next(answers)) is None:
            raise InputError("no face")
        return answer

    first = next(row for row in portraits.photographs(folder, 0) if row["source"] == "a")
    rows = portraits.judge(first, find)
    assert [row["outcome"] for row in rows] == ["found", "wrong", "wrong", "none"]
    assert rows[0]["overlap"] > 0.9 and rows[1]["overlap"] < 0.1 and rows[3]["said"] == "no face"
    report = portraits.summary(rows, [{"kind": "sky", "file": "1", "taken": True}])
    assert (report["all"]["found"], report["all"]["wrong"], report["all"]["none"]) == (1, 2, 1)
    assert report["by_turn"]["0 degrees"]["share"] == 1 and len(report["not_found"]) == 3
    assert report["without_faces"]["all"] == {"pictures": 1, "taken": 1}


def test_drawn_images_are_the_same_again_and_hold_no_face():
    drawn, again = (list(portraits.drawn(8, 3)) for _ in range(2))
    assert [name for name, _ in drawn[:5]] == ["texture 0", "sky 0", "text 0", "shapes 0", "texture 1"]
    for (_, one), (_, two) in zip(drawn, again, strict=True):
        assert np.array_equal(one, two) and one.std() > 5
    rows = portraits.without_faces((("drawn", *item) for item in drawn[:4]), portrait.find_face)
    assert not any(row["taken"] for row in rows)
