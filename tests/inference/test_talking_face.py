"""From portrait and recording to a signed file: the right frames, the same again, nothing left behind."""

import numpy as np
import pytest
import soundfile

import vasa_jax
from tests.inference.stand_ins import CODE, SIZE, StandInMotion, talking_face
from vasa_jax import media
from vasa_jax.errors import InputError, UsageError
from vasa_jax.inference import blinks, leading
from vasa_jax.inference import portrait as portraits
from vasa_jax.inference import talking_face as module
from vasa_jax.inference.portrait import FaceBox
from vasa_jax.provenance import badge
from vasa_jax.provenance.verify import verify

IMAGE = np.full((90, 90, 3), 100, np.uint8)


@pytest.fixture(autouse=True)
def surroundings(tmp_path_factory, monkeypatch):
    """Keys of the test's own, and a face wherever one is looked for."""
    monkeypatch.setenv("VASA_KEYS", str(tmp_path_factory.mktemp("keys") / "keys"))
    monkeypatch.setattr(portraits, "find_face", lambda image, **_: FaceBox(45.0, 45.0, 40.0))


@pytest.fixture
def speech(tmp_path):
    def make(seconds=1.0, rate=16_000):
        path = tmp_path / "speech.wav"
        soundfile.write(path, np.random.default_rng(0).uniform(-0.3, 0.3, round(seconds * rate)), rate)
        return path

    return make


def test_the_package_exports_it():
    assert vasa_jax.TalkingFace is module.TalkingFace
    with pytest.raises(AttributeError):
        vasa_jax.NoSuchThing  # noqa: B018


def test_frames_are_as_many_as_the_audio_asks(speech):
    for seconds in (0.2, 0.999, 1.7):
        video = talking_face().animate(IMAGE, speech(seconds))
        frames = list(video)
        assert len(frames) == len(video) == round(seconds * 25)
        assert frames[0].shape == (SIZE, SIZE, 3) and frames[0].dtype == np.uint8


def test_the_same_again_and_another_seed(speech):
    face, path = talking_face(), speech()
    video = face.animate(IMAGE, path, seed=5)
    first, again = np.stack(list(video)), np.stack(list(video))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, np.stack(list(face.animate(IMAGE, path, seed=6))))


def test_frames_are_made_as_they_are_read(speech):
    """Constant memory: one window and one batch ahead, however long the recording."""
    motion = StandInMotion()
    frames = iter(talking_face(motion).animate(IMAGE, speech(20)))
    assert motion.made == 0
    for _ in range(3):
        next(frames)
    assert motion.made == 1


def test_controls_reach_the_motion_model(speech):
    motion = StandInMotion()
    emotion = {"happiness": 0.6}
    next(
        iter(
            talking_face(motion).animate(IMAGE, speech(), gaze=(0.1, 0.2), distance=1.0, emotion=emotion, cfg_audio=2.0)
        )
    )
    asked = motion.asked
    assert asked["gaze"] == (0.1, 0.2) and asked["distance"] == 1.0 and asked["emotion"][4] == np.float32(0.6)
    assert asked["guidance"] == {"audio": 2.0, "gaze": 1.0}
    with pytest.raises(UsageError, match="'gase' is no control"):
        talking_face().animate(IMAGE, speech(), gase=(0, 0))


def test_blinks_belong_to_motion_from_speech(speech):
    motion = StandInMotion()
    face = talking_face(motion)
    next(iter(face.animate(IMAGE, speech())))
    assert motion.asked["blinker"] is None, "nobody knows where the lids are"
    axis = np.eye(CODE)[1]
    face.lids = blinks.Lids(axis, 0.0, axis)
    codes = {}
    for mode in blinks.MODES:
        next(iter(face.animate(IMAGE, speech(), blinks=mode, seed=3)))
        codes[mode] = motion.asked["blinker"].over(np.zeros((500, 7 + CODE)))[:, 7:]
    assert codes["auto"][:, 1].max() > 0.8 and not codes["model"].any() and not codes["off"].any()
    assert not codes["auto"][:, [0, 2]].any()
    video = face.animate(IMAGE, speech(), blinks="auto")
    used = []
    for _ in range(2):
        next(iter(video))
        used.append(motion.asked["blinker"])
    assert used[0] is not used[1], "a blinker serves one performance"
    assert video.info["controls"]["blinks"] == "auto"
    motion.asked = {}
    list(face.animate(IMAGE, speech(0.4), dynamics_from="portrait", pose_from="portrait"))
    assert not motion.asked, "a held face does not blink"


def test_a_gaze_that_is_led_does_not_reach_the_motion_model(speech):
    """The stand-in's images are as bright as the first value of the code, along which the eyes turn here."""
    made = {}
    for gaze in ((0.0, 0.0), (0.3, 0.0)):
        face = talking_face()
        face.courses = leading.Courses(np.eye(2, CODE), np.zeros((3, CODE)))
        frames = np.stack(list(face.animate(IMAGE, speech(0.8), gaze=gaze, emotion={"anger": 0.5}, distance=0.7)))
        made[gaze] = frames.mean((1, 2, 3)) / 255
        asked = face.motion.asked
        assert not np.any(asked["gaze"]) and np.any(asked["emotion"]) and asked["distance"] == 0.7
    np.testing.assert_allclose((made[0.3, 0.0] - made[0.0, 0.0])[3:], 0.3, atol=0.01)


def test_saving(speech, tmp_path):
    path, done = speech(1.3, 44_100), []
    video = talking_face().animate(IMAGE, path, seed=7)
    report = video.save(tmp_path / "v.mp4", progress=lambda *at: done.append(at))
    assert {p.name for p in tmp_path.iterdir()} == {"v.mp4", "speech.wav"}
    assert done[-1] == (32, 32) and len(done) == 32
    assert report["frames"] == 32 and report["seed"] == 7 and report["face_box"]["half"] > 0
    assert {"audio", "face", "encode", "motion", "decode", "write", "sign"} <= report["timings"].keys()
    assert media.AudioReader(tmp_path / "v.mp4").samples == round(1.3 * 44_100)
    verdict = verify(tmp_path / "v.mp4")
    assert verdict.intact and verdict.generation["seed"] == 7 and verdict.generation["badge"] is True
    assert verdict.generation["model_sha256"] == "0" * 64 and len(verdict.generation["audio_sha256"]) == 64


def test_the_badge_shows_unless_hidden_and_both_are_recorded(speech, tmp_path):
    video = talking_face().animate(IMAGE, speech(0.2), size=128)
    rows, columns, *_ = badge.mask(128, 128)
    for shown in (True, False):
        video.save(tmp_path / "v.mp4", badge=shown)
        corner = next(iter(media.VideoReader(tmp_path / "v.mp4")))[rows, columns].astype(int)
        assert (corner.max() - corner.min() > 120) == shown
        assert verify(tmp_path / "v.mp4").generation["badge"] is shown


def test_without_credentials_only_when_asked(speech, tmp_path):
    talking_face().animate(IMAGE, speech(0.2)).save(tmp_path / "v.mp4", credentials=False)
    assert not verify(tmp_path / "v.mp4").marked


@pytest.mark.parametrize("error", [KeyboardInterrupt, InputError("broken")])
def test_nothing_is_left_when_it_is_interrupted(speech, tmp_path, error):
    path = speech(2.0)
    video = talking_face(StandInMotion(fail_at=1, error=error)).animate(IMAGE, path)
    with pytest.raises(error if isinstance(error, type) else InputError):
        video.save(tmp_path / "v.mp4")
    assert [p.name for p in tmp_path.iterdir()] == ["speech.wav"]


def brightening(path, count):
    """A video whose frames grow brighter: the stand-in reads its brightness as dynamics."""
    with media.VideoWriter(path) as writer:
        for i in range(count):
            writer.write(np.full((90, 90, 3), 40 + 10 * i, np.uint8))
    return path


def test_driving_by_a_video(speech, tmp_path):
    driver = brightening(tmp_path / "driver.mp4", 6)
    face = talking_face()
    face.motion = None  # none is needed then
    video = face.animate(IMAGE, speech(0.6), pose_from=driver, dynamics_from=driver)
    levels = np.stack(list(video)).mean((1, 2, 3))
    steps = np.asarray([0, 1, 2, 3, 4, 5, 4, 3, 2, 1, 0, 1, 2, 3, 4])  # forth and back, without a jump
    np.testing.assert_allclose(levels, 50 + 40 + 10 * steps, atol=3)  # H.264 moves levels a little
    assert "pose_from_sha256" in video.info["provenance"]
    with pytest.raises(InputError, match="no motion model"):
        face.animate(IMAGE, speech(0.6), pose_from=driver)


def test_the_head_alone_may_be_driven(speech, tmp_path):
    driver = brightening(tmp_path / "driver.mp4", 6)
    path = speech(0.6)
    free = np.stack(list(talking_face().animate(IMAGE, path)))
    driven = np.stack(list(talking_face().animate(IMAGE, path, pose_from=driver)))
    np.testing.assert_array_equal(free, driven)  # the stand-in shows dynamics only


def test_sizes(speech):
    assert talking_face().animate(IMAGE, speech(0.2)).size == SIZE
    assert next(iter(talking_face().animate(IMAGE, speech(0.2), size=100))).shape == (100, 100, 3)
    for size in (63, 101, 5000):
        with pytest.raises(UsageError, match="even number"):
            talking_face().animate(IMAGE, speech(0.2), size=size)


def test_a_held_face_and_a_made_pose_need_no_motion_model(speech, tmp_path):
    face = talking_face()
    face.motion = None
    for pose in ("frontal", "spin", "portrait"):
        video = face.animate(IMAGE, speech(0.4), pose_from=pose, dynamics_from="portrait")
        assert np.ptp(np.stack(list(video.make())).mean((1, 2, 3))) == 0.0  # before the mark
        assert video.info["provenance"] | {"pose_from": pose, "dynamics_from": "portrait"} == video.info["provenance"]
    video.save(tmp_path / "v.mp4")
    assert verify(tmp_path / "v.mp4").generation["pose_from"] == "portrait"
    with pytest.raises(UsageError, match="dynamics_from=spin"):
        face.animate(IMAGE, speech(0.4), pose_from="spin", dynamics_from="spin")
    with pytest.raises(InputError, match="does not exist"):
        face.animate(IMAGE, speech(0.4), pose_from="frontal", dynamics_from=tmp_path / "absent.mp4")


def test_pose_and_face_of_two_videos(speech, tmp_path, monkeypatch):
    """Each gives its own half, and only that."""
    face, seen = talking_face(), []
    halves = {"a": np.full((1, 10), 0.1, np.float32), "b": np.full((1, 10), 0.4, np.float32)}
    monkeypatch.setattr(face, "motion_of", lambda path, *_: halves[path.stem])
    monkeypatch.setattr(face.renderer, "frames", lambda latents, motion, *_: (seen.append(m) or IMAGE for m in motion))
    drivers = [brightening(tmp_path / f"{name}.mp4", 2) for name in "ab"]
    list(face.animate(IMAGE, speech(0.2), pose_from=drivers[0], dynamics_from=drivers[1]))
    assert len(seen) == 5
    np.testing.assert_allclose(seen[0], [0.1] * 7 + [0.4] * 3, atol=1e-6)
