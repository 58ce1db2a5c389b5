"""MotionGenerator: length, determinism, pieces of audio, constant memory, controls."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import quick
from vasa_jax.diffusion import sampler
from vasa_jax.errors import UsageError
from vasa_jax.inference import course, editing, motion
from vasa_jax.metrics import angles
from vasa_jax.models.audio import log_mel
from vasa_jax.models.motion_transformer import MotionConditions, MotionConfig, init_params, nothing_asked
from vasa_jax.ops import directions

W, K, M = 12, 4, 9
CONFIG = MotionConfig(motion_dim=M, width=16, depth=1, heads=2, layout="B", window=W, context=K, lookahead=2, bands=8)
STATS = {"mean": list(np.arange(M, dtype=float)), "std": [0.5] * M}


def _params() -> dict:
    return quick.jit(lambda key: init_params(CONFIG, key))(jax.random.key(0))


@pytest.fixture(scope="module")
def generator() -> motion.MotionGenerator:
    params = _params()
    params = jax.tree.map(lambda x: x + 0.1 * jax.random.normal(jax.random.key(1), x.shape), params)
    return motion.MotionGenerator(CONFIG, params, STATS)


def _audio(frames: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(frames * 640)).astype(np.float32)


def _all(generator, chunks, frames: int, **options) -> np.ndarray:
    pieces = list(generator.windows(chunks, frames, **{"steps": 2, **options}))
    return np.concatenate(pieces) if pieces else np.zeros((0, M), np.float32)


@pytest.mark.parametrize("frames", [0, 1, 5, 11, 12, 13, 22, 50])
def test_as_many_frames_as_asked(generator, frames: int) -> None:
    pieces = list(generator.windows([_audio(frames)], frames, steps=2))
    assert sum(len(piece) for piece in pieces) == frames and all(1 <= len(piece) <= W for piece in pieces)
    made = np.concatenate([np.zeros((0, M)), *pieces])
    assert made.shape == (frames, M) and np.isfinite(made).all()


def test_same_seed_same_motion_however_the_audio_is_cut(generator) -> None:
    audio = _audio(40)
    whole = _all(generator, [audio], 40, seed=3)
    cut = _all(generator, np.split(audio, [1, 700, 701, 9000, 20_000]), 40, seed=3)
    np.testing.assert_array_equal(whole, cut)
    assert np.abs(whole - _all(generator, [audio], 40, seed=4)).max() > 1e-3


def test_no_later_audio_than_needed_is_read(generator) -> None:
    taken = []

    def chunks():
        for i in range(1000):
            taken.append(i)
            yield _audio(1, i)

    windows = generator.windows(chunks(), 1000, steps=2)
    next(windows)
    assert len(taken) == W
    next(windows)
    assert len(taken) == W + (W - CONFIG.lookahead)


def test_memory_does_not_grow() -> None:
    reader = motion._AudioReader((_audio(3, i) for i in range(500)), K * 640)
    for _ in range(200):
        assert len(reader.read((K + W) * 640, (K + W) * 640)) == (K + W) * 640
        assert len(reader._kept) <= (K + W + 3) * 640
        reader.advance(10 * 640)


def test_audio_after_the_end_and_samples_that_are_no_numbers(generator) -> None:
    audio = _audio(8)
    audio[100] = np.nan
    audio[200] = np.inf
    assert np.isfinite(_all(generator, [audio], 30)).all()
    # What lies after the last frame is not heard.
    longer = np.concatenate([_audio(8), _audio(30, 1)])
    np.testing.assert_allclose(_all(generator, [longer], 8), _all(generator, [_audio(8)], 8), atol=1e-5)


def test_controls_and_guidance_matter(generator) -> None:
    audio = [_audio(12)]
    plain = _all(generator, audio, 12)
    for options in (
        {"gaze": (0.3, 0.0)},
        {"distance": 1.0},
        {"emotion": np.eye(8)[4]},
        {"guidance": {"audio": 2.0}},
        {"guidance": {}},
        {"temperature": 0.5},
        {"temperature": np.linspace(0.1, 1.0, M)},
        {"method": "ddpm"},
        {"method": "ddim", "eta": 1.0},
        {"steps": 4},
    ):
        assert np.abs(_all(generator, audio, 12, **options) - plain).max() > 1e-4, options
    np.testing.assert_array_equal(_all(generator, audio, 12, guidance={"audio": 0.5, "gaze": 1.0}), plain)


def test_the_output_stays_within_the_statistics() -> None:
    params = jax.tree.map(lambda x: x + 5.0, _params())
    wild = motion.MotionGenerator(CONFIG, params, {**STATS, "low": [-1.0] * M, "high": [2.0] * M})
    made = _all(wild, [_audio(12)], 12)
    assert made.min() >= -1.0 and made.max() <= 2.0


def test_one_compilation_for_a_whole_recording(generator) -> None:
    list(generator.windows([_audio(50)], 50, steps=3))
    assert generator._speaker(3, sampler.DEFAULT, 0.0)._cache_size() == 1


def test_a_constant_track_is_the_constant_in_any_window(generator) -> None:
    audio = [_audio(30)]
    plain = _all(generator, audio, 30, gaze=(0.3, -0.1), distance=1.0, hop=5)
    tracks = {"gaze": np.full((3, 2), (0.3, -0.1)), "distance": np.ones(40), "emotion": np.zeros((1, 8))}
    np.testing.assert_allclose(_all(generator, audio, 30, hop=5, **tracks), plain, atol=1e-6)


def test_a_track_moves_the_windows_that_it_covers(generator) -> None:
    """A change after frame 20 reaches only what is made of windows that end later."""
    audio, step = [_audio(36)], np.zeros((36, 2))
    step[20:] = 0.5
    plain, moved = (_all(generator, audio, 36, hop=4, gaze=track) for track in (np.zeros((36, 2)), step))
    np.testing.assert_array_equal(plain[:20], moved[:20])
    assert np.abs(plain[20:] - moved[20:]).max() > 1e-4


@pytest.mark.parametrize("wrong", [{"hop": 0}, {"hop": W + 1}, {"hop": 8, "lookahead": 5}, {"hop": 4, "lookahead": -1}])
def test_windows_that_do_not_fit(generator, wrong: dict) -> None:
    with pytest.raises(UsageError, match="frames of a window"):
        _all(generator, [_audio(12)], 12, **wrong)


@pytest.mark.parametrize("hop, lookahead", [(None, None), (5, 3), (2, 0)])
def test_later_audio_never_moves_what_was_sent(generator, hop: int | None, lookahead: int | None) -> None:
    """Causality, bit by bit: every piece is the same whatever is said after its look-ahead."""
    span = W if lookahead is None else hop + lookahead
    step = hop or W - CONFIG.lookahead
    first, options = _audio(40), {"steps": 2, "hop": hop, "lookahead": lookahead}
    sent = list(generator.windows([first], 40, **options))
    for piece in (1, 2):
        changed, known = first.copy(), (piece * step + span) * 640
        changed[known:] = _audio(40, 9)[known:]
        again = list(generator.windows([changed], 40, **options))
        np.testing.assert_array_equal(np.concatenate(sent[: piece + 1]), np.concatenate(again[: piece + 1]))
        assert np.abs(np.concatenate(sent) - np.concatenate(again)).max() > 1e-4


def test_no_gradient_from_beyond_the_look_ahead(generator) -> None:
    """Causality by gradient: of two windows in a row, in the audio that they may hear and in the audio that follows."""
    hop, span = 5, 8
    how = {"config": CONFIG, "steps": 2}
    weights = jax.random.normal(jax.random.key(2), (2, hop, M))

    def window(audio: jax.Array, at: int, previous: jax.Array, floor: jax.Array) -> tuple[jax.Array, jax.Array]:
        index = at - K + np.arange(K + W)
        conditions = MotionConditions(
            audio=np.zeros((1, 0, 0), np.float32),
            audio_mask=((index >= 0) & (index < at + span))[None],
            previous=previous,
            told=nothing_asked(CONFIG).told,
            valid=np.ones((1, K + W), bool),
        )
        heard = jax.lax.dynamic_slice(audio, (at * 640,), ((K + W) * 640,))
        drop, scales = {"previous": np.full(1, at == 0)}, {"audio": 0.5, "gaze": 1.0}
        chance = generator.starting, jax.random.key(at)
        hears = generator.speech
        return motion.speak_window(generator.params, heard, floor, conditions, *chance, scales, drop, hears, **how)

    def sent(audio: jax.Array) -> jax.Array:
        audio = jnp.pad(audio, (K * 640, W * 640))
        first, level = window(audio, 0, jnp.zeros((1, K, M)), jnp.float32(-jnp.inf))
        floor = log_mel.least_level(level, hop / 25)
        second, _ = window(audio, hop, first[None, hop - K : hop], floor)
        return jnp.stack([(first[:hop] * weights[0]).sum(), (second[:hop] * weights[1]).sum()])

    pulls = np.abs(quick.jit(jax.jacrev(sent))(jnp.asarray(_audio(40))).reshape(2, 40, 640)).max(-1)
    for piece, last in enumerate((span, hop + span)):
        assert (pulls[piece, last:] == 0).all(), "the audio beyond the look-ahead"
        assert (pulls[piece, :last] > 0).all(), "all the audio before it"


def test_a_start_is_held_before_the_first_frame_and_moves_what_follows(generator, monkeypatch) -> None:
    audio, start = _audio(W), np.arange(M) + 0.5 * np.linspace(-1, 1, M)
    plain, led = _all(generator, [audio], W), _all(generator, [audio], W, start=start)
    assert np.abs(plain - led).max() > 1e-3
    seen = []

    def speak(params, audio, floor, conditions, scale, key, scales, drop, speech):
        seen.append((conditions.previous, conditions.audio_mask, drop["previous"]))
        return np.zeros((W, M), np.float32), np.float32(0.0)

    monkeypatch.setattr(generator, "_speaker", lambda *how: speak)
    _all(generator, [audio], 2 * W, start=start, poised=False)
    previous, heard, dropped = seen[0]
    np.testing.assert_allclose(previous[0], np.tile(np.linspace(-1, 1, M), (K, 1)), atol=1e-6)
    assert not dropped.any() and not heard[0, :K].any(), "a motion that is known, in silence"
    assert len(seen) > 1 and not seen[1][0].any(), "then what was made comes before"


def test_a_window_takes_over_step_by_step() -> None:
    ahead, made = np.zeros((3, M), np.float32), np.ones((8, M), np.float32)
    np.testing.assert_allclose(course.joined(ahead, made)[:, 0], [0.25, 0.5, 0.75, 1, 1, 1, 1, 1])
    np.testing.assert_allclose(course.joined(np.zeros((20, M)), made)[:, 0], [*np.arange(1, 7) / 7, 1, 1])
    np.testing.assert_array_equal(course.joined(ahead[:0], made), made)
    np.testing.assert_allclose(course.joined(ahead, made[:1])[:, 0], [0.5])


def test_the_head_comes_back_and_the_next_window_is_told_so(generator, monkeypatch) -> None:
    """A model that turns on and on from what it was told last."""
    seen = []

    def speak(params, audio, floor, conditions, scale, key, scales, drop, speech):
        seen.append(np.asarray(conditions.previous[0]))
        turned = np.zeros((W, M), np.float32)
        turned[:, 1] = 0.02 * np.arange(1, W + 1)
        return seen[-1][-1] + turned, np.float32(0.0)

    monkeypatch.setattr(generator, "_speaker", lambda *how: speak)
    start, audio = generator.mean.copy(), _audio(400)
    wild = _all(generator, [audio], 400, start=start, poised=False)
    seen.clear()
    drawn = _all(generator, [audio], 400, start=start)
    assert np.ptp(wild[:, 1]) > 2.0 and np.ptp(drawn[:, 1]) < 0.5
    assert np.ptp(drawn[:100, 1]) > 0.1, "it turns all the same"
    shown = (drawn - generator.mean) / generator.std
    hop = W - CONFIG.lookahead
    for window, previous in enumerate(seen[1:], 1):
        np.testing.assert_allclose(previous, shown[window * hop - K : window * hop], atol=1e-5)
    steps = np.abs(np.diff(drawn[:, 1]))
    assert steps.max() < 0.02, "no seams"


def test_the_pull_leaves_the_face_to_the_model(generator, monkeypatch) -> None:
    """A model whose face hears no pose: its face is bit by bit the same."""

    def speak(params, audio, floor, conditions, scale, key, scales, drop, speech):
        return np.random.default_rng(0).standard_normal((W, M)).astype(np.float32), np.float32(0.0)

    monkeypatch.setattr(generator, "_speaker", lambda *how: speak)
    free, drawn = (_all(generator, [_audio(60)], 60, poised=poised) for poised in (False, True))
    np.testing.assert_array_equal(free[:, 7:], drawn[:, 7:])
    assert np.abs(free[:, :7] - drawn[:, :7]).max() > 0.1


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(-0.4, 0.4), min_size=3, max_size=3), st.lists(st.floats(-0.3, 0.3), min_size=2, max_size=2))
def test_on_a_turned_portrait_the_eyes_look_where_they_are_asked_to(home, gaze) -> None:
    """A model that obeys: its head wanders, and the eyes in it (two values of the code) stay on what it is told."""
    generator = motion.MotionGenerator(CONFIG, {}, {"mean": [0.0] * M, "std": [1.0] * M})
    rng = np.random.default_rng(0)

    def speak(params, audio, floor, conditions, scale, key, scales, drop, speech):
        made = np.zeros((W, M), np.float32)
        made[:, :3], made[:, 6] = rng.uniform(-0.3, 0.3, (W, 3)), 1.0
        asked = np.asarray(conditions.told["gaze"][0])
        made[:, 7:9] = [directions.gaze_before(head, asked) for head in made[:, :3]]
        return made, np.float32(0.0)

    generator._speaker = lambda *how: speak
    pose = np.asarray([*home, 0.1, 0.0, 0.0, 1.0])
    for asked in (np.asarray(gaze), np.tile(gaze, (3, 1))):
        made = _all(generator, [_audio(W)], W, gaze=asked, turned=pose[:3], poised=False)
        shown = [editing.from_home(frame, pose, turned=True) for frame in made]
        looked = np.stack([angles.camera_gaze(frame[7:9], frame[:3]) for frame in shown])
        np.testing.assert_allclose(looked, np.broadcast_to(gaze, (W, 2)), atol=1e-4)
