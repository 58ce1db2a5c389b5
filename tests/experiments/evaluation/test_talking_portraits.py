"""A face whose mouth is a grey patch that brightens with the audio: every number of the suite can be foretold."""

import dataclasses

import numpy as np
import pytest
import soundfile
from PIL import Image

from data_pipelines import schema
from data_pipelines.prepare import measures, tracking
from experiments.evaluation import reading, talking_portraits, verdicts
from experiments.evaluation.stills import RealClip, Still
from tests.data_pipelines.conftest import mesh_of
from tests.data_pipelines.prepare.conftest import audio_of, face_points, speech
from vasa_jax import media
from vasa_jax.errors import InputError
from vasa_jax.inference.portrait import FaceBox

SIZE, SECONDS = 64, 3
MOUTH = np.s_[40:56, 16:48]


def draw(opening: float, tint: int = 0) -> np.ndarray:
    image = np.full((SIZE, SIZE, 3), 90, np.uint8)
    image[MOUTH] = round(40 + 150 * opening)
    image[MOUTH][..., 0] += np.uint8(tint)
    return image


class PatchTracker:
    """Sees how bright the patch is; no face in a black image."""

    def track(self, clip_id, images, box=None):
        images = np.stack(list(images))
        opening = np.clip((images[:, MOUTH[0], MOUTH[1]].mean((1, 2, 3)) - 40) / 150, 0, 1)
        points = face_points(opening, at=(SIZE / 2, SIZE / 2, 0.0), scale=SIZE / 2)
        shapes = np.zeros((len(images), tracking.BLENDSHAPES), np.float32)
        return tracking.Track(mesh_of(points), shapes, images.mean((1, 2, 3)) > 5)


@dataclasses.dataclass
class Video:
    frames: list
    info: dict

    def save(self, path, credentials):
        with media.VideoWriter(path) as writer:
            for frame in self.frames:
                writer.write(frame)


@dataclasses.dataclass
class TalkingPatch:
    """Opens as far as it is loud, times `gain`; paints its mouth with `tint`."""

    gain: float = 0.6
    tint: int = 0

    def animate(self, image, audio, **controls):
        if not image.any():
            raise InputError("the portrait shows no face")
        level = measures.loudness(soundfile.read(audio)[0])
        opening = self.gain * np.clip((level - level.max() + 40) / 40, 0, 1)
        box = {"x": SIZE / 2, "y": SIZE / 2, "half": SIZE / 2, "tilt": 0.0, "found_by": "given", "faces": 1}
        return Video([draw(value, self.tint) for value in opening], {"face_box": box})


class MeanColour:
    """Another person has another mean colour."""

    def code(self, face):
        mean = face.reshape(-1, 3).mean(0).astype(np.float64)
        return mean / np.linalg.norm(mean)


@pytest.fixture
def stills(tmp_path):
    found = []
    for name, age in (("anna", "old"), ("ben", "adult"), ("carl", "adult")):
        Image.fromarray(draw(0.0)).save(tmp_path / f"{name}.png")
        found.append(Still(tmp_path / f"{name}.png", {"source": "drawn", "age": age, "skin": "none"}))
    return found


SPEECH = [
    (f"piece {k}", audio_of(speech(25 * SECONDS, k), k, rate=schema.SAMPLE_RATE).astype(np.float32)) for k in range(3)
]


def run(stills, face, real=None):
    assert FaceBox(0, 0, 1)  # the suite makes one of what the video says
    return talking_portraits.PortraitSuite(face, PatchTracker(), MeanColour()).run(stills, SPEECH, real)


def test_a_mouth_that_follows_its_own_audio(stills):
    opening = speech(75, 5)
    clip = RealClip("real", np.stack([draw(0.5 * value) for value in opening]), SPEECH[0][1])
    report, looks = run(stills, TalkingPatch(), lambda size: [clip])
    talking, repeated = report["talking"], report["repeated"]
    assert report["n"] == 3 and talking["face"]["mean"] == 1
    assert talking["loudness"]["mean"] > 0.95 and abs(talking["loudness_other"]["mean"]) < 0.5
    assert repeated["opening"]["mean"] < 0.003 < talking["opening"]["mean"]
    assert talking["identity"]["mean"] == pytest.approx(1, abs=1e-3)
    assert report["opening_of_real"] == pytest.approx(talking["opening"]["mean"] / report["real"]["opening"]["mean"])
    assert {name: entry["n"] for name, entry in report["groups"]["age"].items()} == {"adult": 2, "old": 1}
    sheet = talking_portraits.contact_sheet(looks)
    closed, half, wide = (image[MOUTH].mean() for image in looks[0][1][1:4])
    assert len(looks) == 3 and sheet.shape[0] == 2 * (200 + 18) and closed < half < wide


def test_colour_painted_into_grey_portraits_is_seen(stills):
    honest, painted = (run(stills[:1], TalkingPatch(tint=tint))[0] for tint in (0, 60))
    assert honest["highest"]["chroma"] <= honest["highest"]["chroma_repeated"] + 2 <= 6
    assert painted["highest"]["chroma"] > 40
    marks = {v["what"]: v["verdict"] for v in verdicts.judge(painted, talking_portraits.TARGETS)}
    assert marks["colour in grey portraits, the worst"] == "FAIL" and marks["frames with a face"] == "pass"


def test_a_portrait_that_cannot_be_animated_counts_as_no_face(stills):
    Image.fromarray(np.zeros((SIZE, SIZE, 3), np.uint8)).save(stills[1].path)
    report, looks = run(stills, TalkingPatch())
    assert report["talking"]["face"]["mean"] == pytest.approx(2 / 3) and len(looks) == 2
    assert report["portraits"][1]["failed"] == "the portrait shows no face"
    with pytest.raises(InputError, match="no face was found in any of 1"):
        run(stills[1:2], TalkingPatch())


def test_loudness_is_only_compared_where_the_face_was_found():
    audio = SPEECH[0][1]
    level = measures.loudness(audio)
    seen = np.arange(75) % 3 > 0
    mouth = np.where(seen, np.maximum(level, level.max() - 40) / 100, 5.0)
    found = reading.Reading(mouth, np.zeros((75, 2)), seen)
    assert talking_portraits.follows(found, audio)["loudness"] == pytest.approx(1)


def test_phases_and_badge():
    mouth = np.asarray([0.1, 0.0, 0.04, 0.09, 0.2])
    found = reading.Reading(mouth, np.zeros((5, 2)), np.asarray([True, True, True, True, False]))
    assert talking_portraits.phases(found) == (1, 2, 0)
    seen = talking_portraits.beside_badge(256)
    assert not seen[10, 240] and seen[100, 240] and seen[10, 100] and seen.mean() > 0.95
