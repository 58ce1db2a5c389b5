"""Streams: the same frames for any chunking, nothing from beyond the look-ahead, interruption, controls under way."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vasa_jax
from tests import quick
from tests.inference.stand_ins import CODE, SIZE, live_face
from vasa_jax import TalkingFace, media
from vasa_jax.errors import InputError, UsageError
from vasa_jax.inference import blinks, closing, leading, live, machine
from vasa_jax.inference import portrait as portraits
from vasa_jax.inference.portrait import FaceBox
from vasa_jax.inference.running import RunningHearing
from vasa_jax.models.motion_transformer import nothing_asked
from vasa_jax.ops import directions
from vasa_jax.provenance import keys, watermark

IMAGE = np.full((90, 90, 3), 100, np.uint8)


@pytest.fixture(scope="module", autouse=True)
def own_keys(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VASA_KEYS", str(tmp_path_factory.mktemp("keys") / "keys"))
        yield


@pytest.fixture(scope="module")
def look():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portraits, "find_face", lambda image, **_: FaceBox(45.0, 45.0, 40.0))
        return live_face().look(IMAGE)


def _audio(frames: float, seed: int = 0) -> np.ndarray:
    return (0.2 * np.random.default_rng(seed).standard_normal(round(frames * 640))).astype(np.float32)


def _stream(look, **options):
    return live_face().stream(look, **options)


def _all(session, chunks) -> np.ndarray:
    frames = [frame for chunk in chunks for frame in session.push(chunk)] + session.flush()
    return np.stack(frames) if frames else np.zeros((0, SIZE, SIZE, 3), np.uint8)


AUDIO = _audio(23.4)


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(0, len(AUDIO)), max_size=12), st.integers(0, len(AUDIO)), st.sampled_from([80, 160, 320]))
def test_the_same_frames_for_any_chunking(look, cuts, length, lookahead) -> None:
    audio = AUDIO[:length]
    whole = _all(_stream(look, lookahead_ms=lookahead), [audio])
    cut = _all(_stream(look, lookahead_ms=lookahead), np.split(audio, sorted(c for c in cuts if c <= length)))
    assert len(whole) == round(length / 16_000 * 25)
    np.testing.assert_array_equal(whole, cut)


def test_live_is_offline_in_the_same_windows(look) -> None:
    """The motion of a stream is that of `MotionGenerator.windows` told the same hop and look-ahead."""
    session, shown = _stream(look, seed=5, lookahead_ms=160), []
    audio = AUDIO[: 23 * 640]
    session.hear(audio)
    session.end()
    while (told := session.ask()) is not None:
        (answer,) = session.machine.speak([told], [session.scales()], live.STEPS, "dpm++")
        shown.append(session._course.take(*answer, min(session.hop, session._known()), session.span))
        made = len(shown[-1])
        session._kept, session._left = session._kept[made * 640 :], session._left - made or None
    hearing = RunningHearing()
    heard = np.concatenate([hearing.frame(frame) for frame in audio.reshape(-1, 640)])
    options = {"seed": 5, "steps": live.STEPS, "hop": 2, "lookahead": 2, "start": look.start}
    offline = list(live_face().motion.windows([heard], 23, **options))
    np.testing.assert_array_equal(np.concatenate(shown), np.concatenate(offline))


@pytest.mark.parametrize("lookahead", [80, 160, 320])
def test_no_frame_knows_what_is_said_after_its_look_ahead(look, lookahead) -> None:
    """Bit by bit: frame k is the same whatever follows k / 25 s + look-ahead; and it does hear what comes before."""
    first, span = AUDIO[: 20 * 640], lookahead // 40
    plain = _all(_stream(look, lookahead_ms=lookahead), [first])
    for frame in (0, 3, 8, 11):
        later = first.copy()
        later[(frame + span) * 640 :] = _audio(20, 9)[(frame + span) * 640 :]
        again = _all(_stream(look, lookahead_ms=lookahead), [later])
        np.testing.assert_array_equal(plain[: frame + 1], again[: frame + 1])
        assert not np.array_equal(plain, again)


def test_no_gradient_from_beyond_the_look_ahead() -> None:
    """The program of a live window: the audio that it may hear moves it, what follows does not."""
    generator, span = live_face().motion, 4
    c = generator.config
    weights = jax.random.normal(jax.random.key(2), (2, c.motion_dim))

    def shown(audio: jax.Array) -> jax.Array:
        conditions = nothing_asked(c).replace(audio_mask=(np.arange(c.frames) < c.context + span)[None])
        row = {"audio": audio, "floor": np.float32(-np.inf), "conditions": conditions, "drop": {}}
        row |= {"seed": np.uint32(0), "at": np.int32(30), "scales": {"audio": np.float32(0.5)}}
        made, _ = machine._window(
            generator.params, row, generator.starting, generator.speech, config=c, steps=2, method="dpm++"
        )
        return (made[:2] * weights).sum()

    audio = jnp.asarray(_audio(c.frames))
    pulls = np.abs(quick.jit(jax.grad(shown))(audio).reshape(c.frames, 640)).max(-1)
    assert (pulls[c.context + span :] == 0).all() and (pulls[: c.context + span] > 0).all()


def test_what_is_returned_carries_the_watermark(look) -> None:
    """Frame by frame as in a file: laid over the plain image, at the frame's own time."""
    session, plain = _stream(look), _stream(look)
    plain.marks = lambda frame: frame
    shown, bare = _all(session, [AUDIO]), _all(plain, [AUDIO])
    shown = np.concatenate([shown, session.interrupt()])
    bare = np.concatenate([bare, plain.interrupt()])
    key = keys.signing_key().key_id
    np.testing.assert_array_equal(shown, np.stack(list(watermark.mark(bare, key))))
    assert not np.array_equal(shown, bare)


def test_on_a_turned_portrait_the_gaze_is_told_as_it_is_before(look) -> None:
    pose = look.latents.pose.at[0, 1].set(0.3)
    turned = dataclasses.replace(look, latents=look.latents.replace(pose=pose))
    session = _stream(turned, gaze=(0.1, -0.1))
    session.hear(AUDIO)
    told = session.ask().conditions.told["gaze"][0]
    np.testing.assert_allclose(told, directions.gaze_before(turned.home[:3], np.array([0.1, -0.1])), atol=1e-6)
    assert abs(told[0] - 0.1) > 0.2


def test_a_flush_ends_a_sentence_and_not_the_session(look) -> None:
    session = _stream(look)
    assert len(session.push(_audio(7.6))) == 4  # windows of two, two more heard
    assert len(session.flush()) == 4 and session.waiting == 0
    assert session.flush() == []
    assert len(session.push(_audio(3))) == 0 and len(session.flush()) == 3
    assert session.made == 11


def test_interrupting_forgets_what_waits_and_closes_within_200_ms(look) -> None:
    session = _stream(look)
    before = session.push(_audio(11.5))
    shown = session.interrupt()
    assert len(shown) == closing.FRAMES == 5 and session.waiting == 0
    rest = session._placed(look.start[None])  # without a label head a mouth is closed as the portrait has it
    (parts,) = session.machine.frames([look], [rest], session.hop)
    (closed,) = session.machine.finish(look, rest, parts)
    levels = np.stack(before[-1:] + shown).mean((1, 2, 3))
    assert abs(levels[0] - closed.mean()) > 3, "it was open"
    assert np.abs(levels[-2:] - closed.mean()).max() < 1.0
    steps = np.diff(levels)
    assert (steps >= -0.05).all() or (steps <= 0.05).all(), "without a jump back"  # the watermark moves a mean by less
    assert len(session.push(np.zeros(4 * 640, np.float32))) == 2, "and it lives on"


def test_a_mouth_is_closed_even_where_the_portrait_has_it_open() -> None:
    rng = np.random.default_rng(0)
    head = {"kernel": rng.standard_normal((8, 6)), "bias": rng.standard_normal(6)}
    mouth = closing.mouth_of(head, np.ones(8))

    def opened(by: float) -> np.ndarray:
        motion = np.concatenate([rng.standard_normal(7), rng.standard_normal(8)])
        motion[7:] += (by - mouth.read(motion[7:])) * mouth.direction
        return motion

    last, rest, shut = opened(0.8), opened(0.6), opened(0.01)
    moves = closing.closing(last, rest, mouth)
    read = moves[:, 7:] @ head["kernel"] + head["bias"]
    np.testing.assert_allclose(read[-2:, 0], 0.05, atol=1e-6)
    assert (np.diff(read[:, 0]) <= 1e-9).all()
    np.testing.assert_allclose(read[-1, 1:4], rest[7:] @ head["kernel"][:, 1:4] + head["bias"][1:4])
    np.testing.assert_array_equal(moves[:, :7], np.tile(last[:7], (5, 1)))
    np.testing.assert_allclose(closing.closing(last, shut, mouth)[-1, 7:], shut[7:])
    np.testing.assert_allclose(closing.closing(last, rest, None)[-1, 7:], rest[7:])


def test_a_mouth_opens_as_far_as_images_need_and_shut_lips_stay_shut() -> None:
    rng = np.random.default_rng(0)
    head = {"kernel": rng.standard_normal((8, 6)), "bias": rng.standard_normal(6)}
    course = rng.standard_normal(8)
    course /= course @ head["kernel"][:, 0]
    plain, mouth = closing.mouth_of(head, np.ones(8), course), closing.mouth_of(head, np.ones(8), course, 1.5)
    motion = rng.standard_normal(15)
    for opening, shown in ((0.65, 0.95), (0.05, 0.05), (0.01, 0.01), (-0.3, -0.3)):
        motion[7:] += (opening - mouth.read(motion[7:])) * mouth.direction
        found = mouth.opened(motion)
        np.testing.assert_allclose(mouth.read(found[7:]), shown, atol=1e-9)
        np.testing.assert_allclose(found[7:], motion[7:] + (shown - opening) * course, atol=1e-9)
        np.testing.assert_array_equal(found[:7], motion[:7])
        assert plain.opened(motion) is motion


def test_controls_act_at_once_and_only_on_what_follows(look) -> None:
    plain, led = (_stream(look, seed=2) for _ in range(2))
    first = [np.stack(s.push(AUDIO[: 8 * 640])) for s in (plain, led)]
    np.testing.assert_array_equal(*first)
    led.update(gaze=(0.8, 0.0), emotion={"happiness": 1.0})
    assert led.controls.gaze == (0.8, 0.0)
    second = [np.stack(s.push(AUDIO[8 * 640 : 10 * 640])) for s in (plain, led)]
    assert not np.array_equal(*second), "the very next frames"
    led.controls = dataclasses.replace(led.controls, distance=2.0, cfg_audio=1.5)
    assert led.controls.distance == 2.0 and led.scales() == {"audio": 1.5, "gaze": 1.0}
    for wrong in ({"seed": 3}, {"steps": 9}, {"hop": 3}, {"blinks": "off"}):
        with pytest.raises(UsageError, match="cannot change"):
            led.update(**wrong)
    with pytest.raises(UsageError, match="cannot change"):
        led.controls = dataclasses.replace(led.controls, seed=3)
    with pytest.raises(UsageError, match="gaze"):
        led.update(gaze=(9.0, 0.0))
    assert led.controls.distance == 2.0, "what is refused changes nothing"


def test_memory_does_not_grow(look) -> None:
    session = _stream(look, lookahead_ms=320)
    for at in range(60):
        session.push(_audio(5.3, at))
        assert len(session._kept) < session._before + (session.span + 1) * 640 and len(session._partial) < 640
    assert session.made == 60 * 53 // 10 - 6  # what waits for its look-ahead


def test_silence_is_alive(look) -> None:
    """Blinks come in silence, over what the model does anyway."""
    axis = np.eye(CODE)[2]
    shared = live_face().machine()
    blinking = machine.Machine(shared.renderer, shared.motion, blinks.Lids(axis, 0.0, axis))

    def moved(mode: str) -> np.ndarray:
        session = live.LiveSession(blinking, look, live.controls_of(1, {"hop": 8, "blinks": mode}), 320)
        session.hear(np.zeros(640 * 200, np.float32))
        pieces = []
        while (told := session.ask()) is not None:
            (answer,) = shared.speak([told], [session.scales()], live.STEPS, "dpm++")
            pieces.append(session.take(*answer))
        return np.concatenate(pieces)

    own = moved("model")
    laid = moved("auto") - own
    assert len(own) == 200 and own[:, :7].std(0).max() > 0
    assert laid[:, 7 + 2].max() > 0.3 and not laid[:, :9].any()


def test_gaze_and_emotion_are_led_over_what_the_model_makes(look) -> None:
    """What is shown is the model's motion, which hears of the emotion alone, with what `Leading` lays over it."""
    shared, rng = live_face().machine(), np.random.default_rng(0)
    courses = leading.Courses(rng.normal(size=(2, CODE)), rng.normal(size=(3, CODE)))
    leads = machine.Machine(shared.renderer, shared.motion, courses=courses)
    plain = machine.Machine(shared.renderer, shared.motion)

    def motion(of: machine.Machine, **changes) -> np.ndarray:
        session = live.LiveSession(of, look, live.controls_of(1, {"hop": 2}), 160)
        pieces = []
        for chunk in (AUDIO[: 12 * 640], AUDIO[12 * 640 : 20 * 640]):
            session.hear(chunk)
            while (told := session.ask()) is not None:
                (answer,) = of.speak([told], [session.scales()], live.STEPS, "dpm++")
                pieces.append(session.take(*answer))
            session.update(**changes)
        return np.concatenate(pieces)

    feeling = {"emotion": {"surprise": 1.0}}
    made, shown, first = motion(plain, **feeling), motion(leads, gaze=(0.2, 0.1), **feeling), motion(leads)
    performance, surprised = leading.Leading(courses, look.home, 1), np.eye(8)[7]
    changed = np.flatnonzero((first != shown).any(-1))[0]
    for at, frame in enumerate(made):
        told = (np.zeros(2), np.zeros(8)) if at < changed else (np.asarray([0.2, 0.1]), surprised)
        np.testing.assert_allclose(shown[at], performance.frame(frame, *told), atol=1e-6)
    assert 0 < changed < len(made)


def test_what_a_stream_refuses(look) -> None:
    for options, message in (
        ({"lookahead_ms": 100}, "steps of 40"),
        ({"lookahead_ms": 0}, "steps of 40"),
        ({"lookahead_ms": 640}, "steps of 40"),
        ({"hop": 5}, "at most 4"),
        ({"gase": 1}, "no control"),
        ({"gaze": np.zeros((5, 2))}, "no tracks"),
    ):
        with pytest.raises(UsageError, match=message):
            _stream(look, **options)
    session = _stream(look)
    for wrong in (np.zeros((2, 640)), np.zeros(3, complex), ["a"], [[1.0], [1.0, 2.0]]):
        with pytest.raises(InputError, match="16 kHz mono"):
            session.push(wrong)
    assert session.push([]) == [] and session.push(np.zeros(10, np.int16)) == []
    face = live_face()
    with pytest.raises(InputError, match="no motion model"):
        type(face)(face.renderer, None, "0" * 64, "release").stream(look)


def test_samples_that_are_no_numbers_are_silence(look) -> None:
    broken, mended = AUDIO.copy(), AUDIO.copy()
    broken[5000:5100], mended[5000:5100] = np.nan, 0.0
    np.testing.assert_array_equal(_all(_stream(look), [broken]), _all(_stream(look), [mended]))


@pytest.mark.parametrize("rows", [3])
def test_rows_do_not_know_of_each_other(look, rows) -> None:
    """Bit by bit, whoever else is in the call, and in whatever row."""
    shared = live_face().machine(rows)
    sounds = [_audio(10, seed) for seed in range(rows)]

    def served(order) -> dict[int, np.ndarray]:
        sessions = {k: live.LiveSession(shared, look, live.controls_of(k, {}), 160) for k in order}
        frames = {k: [] for k in order}
        for k, session in sessions.items():
            session.hear(sounds[k])
            session.end()
        while asked := {k: told for k, session in sessions.items() if (told := session.ask()) is not None}:
            scales = [sessions[k].scales() for k in asked]
            answers = shared.speak(list(asked.values()), scales, live.STEPS, "dpm++")
            moves = [sessions[k].take(*answer) for k, answer in zip(asked, answers)]
            parts = shared.frames([look] * len(moves), moves, 2)
            for k, move, part in zip(asked, moves, parts):
                frames[k] += shared.finish(look, move, part)
        return {k: np.stack(f) for k, f in frames.items()}

    together, turned, alone = served([0, 1, 2]), served([2, 0, 1]), served([1])
    for k in range(rows):
        assert len(together[k]) == 10
        np.testing.assert_array_equal(together[k], turned[k])
    np.testing.assert_array_equal(together[1], alone[1])


# ---- the bundled weights ----------------------------------------------------------------------------


def _openings(session) -> np.ndarray:
    """The mouth's opening, as the label head reads it, in the frames that can be known now."""
    read = []
    while (told := session.ask()) is not None:
        (answer,) = session.machine.speak([told], [session.scales()], live.STEPS, "dpm++")
        read.append(session.machine.mouth.read(session.take(*answer)[:, 7:]))
    return np.concatenate(read) if read else np.zeros(0)


@pytest.mark.slow
def test_the_bundled_weights_speak_fall_silent_and_idle() -> None:
    assets = Path(vasa_jax.__file__).parent / "assets"
    face = TalkingFace.load()
    look = face.look(assets / "photo.jpg")
    audio = np.concatenate(list(media.AudioReader(assets / "speech.flac").mono()))[: 3 * 16_000]
    whole, cut = (face.stream(look, seed=3) for _ in range(2))
    frames = np.stack(whole.push(audio))
    pieces = [frame for piece in np.split(audio, range(1111, len(audio), 1111)) for frame in cut.push(piece)]
    np.testing.assert_array_equal(frames, np.stack(pieces))

    session = face.stream(look, seed=3)
    session.hear(audio)
    assert np.ptp(_openings(session)) > 0.4
    closed = face.mouth.read(session.close()[:, 7:])
    assert closed[-2:].max() < 0.1
    session.hear(np.zeros(3 * 16_000, np.float32))
    assert _openings(session).max() < 0.2, "it stays closed"


# ---- what a microphone gives ------------------------------------------------------------------------


def _level(audio: np.ndarray) -> float:
    return 10 * np.log10(np.square(audio[-16_000:]).mean())


def _through(audio: np.ndarray) -> np.ndarray:
    hearing = RunningHearing()
    return np.concatenate([hearing.frame(frame) for frame in audio.reshape(-1, 640)])


def test_quiet_speech_is_turned_up_and_noise_is_not() -> None:
    rng = np.random.default_rng(0)
    bursts = np.repeat(np.tile([0.0, 0.0, 1.0, 1.0], 20), 3200)  # 0.4 s of voice, 0.4 s of pause
    voice = bursts * np.sin(2 * np.pi * 200 / 16_000 * np.arange(len(bursts)))
    quiet, loud = 0.004 * voice, 0.3 * voice
    assert _level(_through(quiet)) > _level(quiet) + 20
    assert abs(_level(_through(loud)) - _level(loud)) < 0.5
    noise = 0.004 * rng.standard_normal(len(bursts))
    assert abs(_level(_through(noise)) - _level(noise)) < 1
    np.testing.assert_allclose(_through(np.full(6400, 0.5)), 0.0, atol=1e-6)  # an offset is not heard
    assert np.abs(_through(100 * voice[:6400])).max() <= 1.0
