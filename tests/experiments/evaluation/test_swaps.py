"""Models with known faults on drawings that only say what they show."""

import json

import numpy as np
import pytest

from experiments.evaluation import puppets, swap_tables, swaps, tables, verdicts
from experiments.evaluation.puppets import DRAWS, Act, Drawn
from experiments.evaluation.reading import Reading
from vasa_jax import landmarks

RNG = np.random.default_rng(0)
MOMENTS = 40
ROTATIONS = RNG.normal(0, 0.2, (MOMENTS, 3))
FACES = RNG.uniform(0.0, 0.3, (MOMENTS, 4))  # mouth, eyes, lids
CODES = np.concatenate([FACES, RNG.normal(0, 0.3, (MOMENTS, 4))], -1)


def drawn(person, poses, faces):
    """Pictures whose first pixel holds person, pose and face."""
    images = np.full((len(poses), 16, 16, 3), 10 * person, np.uint8)
    images[:, 0, 0] = np.stack([np.full(len(poses), person), poses, faces], -1)
    points = np.repeat(landmarks.template()[None], len(poses), 0)
    pose = np.concatenate([ROTATIONS[poses], np.zeros((len(poses), 3)), np.ones((len(poses), 1))], -1)
    face = FACES[faces]
    labels = {"landmarks": points, "pose": pose, "eyes": face[:, 1:3], "mouth": face[:, :1], "lids": face[:, 3:]}
    return Drawn(images, labels)


def act(person, rng):
    i, j = rng.choice(MOMENTS, (2, DRAWS), replace=False)
    pairs = {"ii": (i, i), "jj": (j, j), "ji": (j, i), "ij": (i, j)}
    fit, test = rng.integers(0, 26, (2, 11)), rng.integers(26, MOMENTS, (2, 9))
    own = {name: drawn(person, *pair) for name, pair in pairs.items()}
    return Act(
        f"head{person}",
        drawn(person, i[:1], j[:1]),
        own,
        drawn(person + 1, i, i),
        drawn(person, *fit),
        drawn(person, *test),
    )


class Model:
    """Perfect; `leak` puts yaw into the code, `turn` lets the code turn the head, `deaf` shows the source only."""

    def __init__(self, leak=0.0, turn=False, deaf=False):
        self.leak, self.turn, self.deaf = leak, turn, deaf

    def encode(self, image):
        return image

    def motion(self, images):
        _, poses, faces = images[:, 0, 0].T
        head = np.concatenate([poses[:, None], np.zeros((len(poses), 6))], -1)
        codes = CODES[faces].copy()
        codes[:, 7] += self.leak * ROTATIONS[poses, 1]
        return np.concatenate([head, codes], -1)

    def decode(self, latents, motion):
        images = np.repeat(latents[None], len(motion), 0)
        if not self.deaf:
            faces = np.abs(motion[:, None, 7:14] - CODES[None, :, :7]).sum(-1).argmin(-1)
            images[:, 0, 0, 1], images[:, 0, 0, 2] = faces if self.turn else motion[:, 0], faces
        return images


class Reader:
    name = "the first pixel"

    def read(self, images, real=None):
        _, poses, faces = images[:, 0, 0].T
        points = np.repeat(landmarks.template()[None], len(poses), 0)
        face = FACES[faces]
        lids = np.repeat(face[:, 3:], 2, -1)
        return Reading(face[:, 0], lids, np.ones(len(poses), bool), ROTATIONS[poses], face[:, 1:3], points)


class Recogniser:
    def code(self, aligned):
        return np.eye(16)[int(aligned[60, 60, 0]) // 10]


def run(model, recogniser=None, people=6):
    rng = np.random.default_rng(1)
    return swaps.SwapSuite(model, Reader(), recogniser).run(act(k, rng) for k in range(people))


def test_a_perfect_model(capsys):
    report, images = run(Model(), Recogniser())
    assert report["people"] == 6 and report["swaps"] == 6 * DRAWS
    for name in swaps.MOVES:
        assert report["moves"][name]["mean"] == pytest.approx(0.0, abs=1e-6)
    assert report["obeys"]["yaw"]["model"]["correlation"] == pytest.approx(1.0)
    assert report["obeys"]["mouth"]["model"]["gain"] == pytest.approx(1.0)
    assert report["psnr"]["self"]["mean"] == 100.0 and report["psnr"]["self_copy"]["mean"] < 100.0
    assert report["pose_degrees"]["pose_swapped"]["mean"] == pytest.approx(0.0, abs=1e-6)
    assert report["re_encoding"]["other_driver"]["centred"]["mean"] == pytest.approx(1.0)
    assert report["identity"]["self"]["mean"] == pytest.approx(1.0) and report["identity"]["strangers"] == 0.0
    assert report["code"]["mouth_explained"] > 0.9 and report["code"]["yaw_explained"] < 0.4
    assert len(images) == 6 and images[0].shape == (len(swap_tables.TITLES), 16, 16, 3)
    json.dumps(tables.plain(report), allow_nan=False)
    swap_tables.show(report | {"read_by": "pixels"})
    assert "what a swap moves" in capsys.readouterr().out
    judged = verdicts.judge({"heads": report})
    assert judged[0]["what"] == "head pose moved by dynamics alone, degrees" and judged[0]["verdict"] == "pass"


def test_a_model_whose_code_turns_the_head():
    report, _ = run(Model(turn=True))
    assert report["moves"]["pose_by_dynamics"]["mean"] > 5 and report["moves"]["pose_by_dynamics_drawn"]["mean"] < 1e-3
    assert report["obeys"]["yaw"]["model"]["correlation"] == 0.0
    assert verdicts.judge({"heads": report})[0]["verdict"] == "FAIL"
    report["moves"]["pose_by_dynamics_own"]["mean"] = 1.5  # most of it is what the reader sees in true images
    assert verdicts.judge({"heads": report})[0]["verdict"] == "pass, less the reader"


def test_copying_the_source_moves_nothing_and_obeys_nothing():
    report, _ = run(Model(deaf=True))
    assert report["moves"]["pose_by_dynamics"]["mean"] == 0.0
    assert report["obeys"]["yaw"]["model"] == {"correlation": 0.0, "gain": 0.0, "n": 6 * DRAWS}
    assert report["pose_degrees"]["self"]["mean"] == pytest.approx(report["pose_degrees"]["self_copy"]["mean"])


def test_a_leak_is_found():
    assert run(Model(leak=20.0), people=9)[0]["code"]["yaw_explained"] > 0.8


def test_a_face_keeps_its_eyes_when_the_head_turns():
    """`combine` is what makes a true swap: the eyes stay where they are in the head."""
    from scipy.spatial.transform import Rotation

    from data_pipelines import schema
    from data_pipelines.synthetic.head import FrameState

    rng = np.random.default_rng(0)
    states = [
        FrameState(rng.normal(size=3), rng.normal(0, 0.2, 3), np.zeros(3), 1.0, rng.normal(0, 0.2, 2), np.zeros(3))
        for _ in range(2)
    ]
    both = puppets.combine(*states)
    assert (both.rotation == states[0].rotation).all() and (both.expression == states[1].expression).all()

    def in_head(state):
        return Rotation.from_euler("xyz", state.rotation).as_matrix().T @ schema.gaze_direction(state.gaze)

    np.testing.assert_allclose(in_head(both), in_head(states[1]), atol=1e-9)


def test_drawings_are_kept_for_the_next_run(tmp_path):
    parts = {name: drawn(1, np.arange(2), np.arange(2)) for name in puppets._GROUPS}
    puppets._keep(tmp_path / "a" / "one.npz", parts)
    again = puppets._read(tmp_path / "a" / "one.npz", 7)
    assert again.name == "head000007" and (again.own["ji"].images == parts["ji"].images).all()
    assert again.test.labels["pose"] == pytest.approx(parts["test"].labels["pose"])
