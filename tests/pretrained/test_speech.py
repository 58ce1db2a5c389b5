"""Speech features: two a frame, padding that changes nothing, and pieces that hear no further than they say."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import quick
from tests.pretrained.speech_folder import write_folder
from vasa_jax.errors import InputError, UsageError
from vasa_jax.pretrained.speech import (
    MIX,
    RANDOM,
    Pieces,
    SpeechModel,
    SpeechStream,
    normalised,
    open_speech,
    relative_difference,
)

FRAME = 640


@pytest.fixture(scope="module", params=["base", "large"])
def model(request, tmp_path_factory) -> SpeechModel:
    return open_speech(write_folder(tmp_path_factory.mktemp(request.param), request.param))


def _sound(frames: int, seed: int = 0) -> np.ndarray:
    """Noise whose loudness and mean wander, so that statistics of a part are not those of the whole."""
    rng = np.random.default_rng(seed)
    loudness = np.repeat(rng.uniform(0.02, 0.3, frames), FRAME)
    return (loudness * rng.standard_normal(frames * FRAME) + 0.05).astype(np.float32)


def test_two_features_a_frame_and_a_width_that_is_said(model):
    for frames in (1, 2, 25, 100):
        found = jax.eval_shape(model, jax.ShapeDtypeStruct((1, frames * FRAME), jnp.float32))
        assert found.shape == (1, 2 * frames, model.width) and model.width == 3 * 8 and model.states == 3


def test_a_layer_is_its_part_of_the_mix(model):
    sound = _sound(3)[None]
    mix = quick.jit(model)(sound)
    for layer in (0, 2):
        one = dataclasses.replace(model, layer=layer)
        assert one.width == 8
        np.testing.assert_allclose(quick.jit(one)(sound), mix[..., 8 * layer : 8 * (layer + 1)], atol=1e-5)
    with pytest.raises(UsageError, match="has hidden states 0 to 2, and no 3"):
        dataclasses.replace(model, layer=3)


def test_normalised_as_transformers_does():
    sound = np.stack([_sound(2), _sound(2, 1)])
    heard = np.arange(2 * FRAME) < np.asarray([[2 * FRAME], [700]])
    found = np.asarray(normalised(jnp.asarray(sound), jnp.asarray(heard)))
    for row, count in enumerate((2 * FRAME, 700)):
        x = sound[row, :count]
        # The formula of Wav2Vec2FeatureExtractor.zero_mean_unit_var_norm.
        np.testing.assert_allclose(found[row, :count], (x - x.mean()) / np.sqrt(x.var() + 1e-7), atol=1e-5)
        np.testing.assert_array_equal(found[row, count:], 0.0)
    assert np.isfinite(normalised(jnp.zeros((1, FRAME)))).all()


def test_padding_changes_nothing(model):
    long, short = _sound(8), _sound(5, 1)
    batch = np.stack([long, np.pad(short, (0, 3 * FRAME), constant_values=7.0)])
    heard = np.arange(8 * FRAME) < np.asarray([[8 * FRAME], [5 * FRAME]])
    found = quick.jit(model)(batch, heard)
    np.testing.assert_allclose(found[0], quick.jit(model)(long[None])[0], atol=2e-5)
    np.testing.assert_allclose(found[1, :10], quick.jit(model)(short[None])[0], atol=2e-5)


def test_one_piece_that_hears_all_is_the_whole(model):
    sound = _sound(7)
    whole = quick.jit(model)(sound[None])[0]
    for pieces in (Pieces(7, 0, 0), Pieces(9, 2, 3), Pieces(3, 7, 7)):
        found = quick.jit(lambda x, pieces=pieces: model.in_pieces(x, pieces))(sound)
        assert found.shape == whole.shape
        np.testing.assert_allclose(found, whole, atol=5e-5)


def test_the_stream_sends_what_the_pieces_are(model):
    pieces, sound = Pieces(chunk=2, before=3, ahead=1), _sound(9)
    wanted = quick.jit(lambda x: model.in_pieces(x, pieces))(sound)
    for sizes in ((9 * FRAME,), (1, 2 * FRAME, 777, 9 * FRAME), (3 * FRAME,) * 3):
        stream, made, at = SpeechStream(model, pieces), [], 0
        for size in sizes:
            made.append(stream.push(sound[at : at + size]))
            at += size
            # What is sent lags by the look-ahead, by at most a piece, and by the sample that tells of more.
            heard = min(at, len(sound))
            assert sum(map(len, made)) == 4 * max((heard - 1 - FRAME) // (2 * FRAME), 0)
        made.append(stream.flush())
        np.testing.assert_allclose(np.concatenate(made), wanted, atol=5e-5)


def test_a_stream_that_ends_within_a_frame_fills_it_with_silence(model):
    pieces, sound = Pieces(chunk=2, before=3, ahead=1), _sound(4)
    cut = np.where(np.arange(4 * FRAME) < 3 * FRAME + 100, sound, np.float32(0))
    wanted = quick.jit(lambda x: model.in_pieces(x, pieces))(cut)
    stream = SpeechStream(model, pieces)
    found = np.concatenate([stream.push(sound[: 3 * FRAME + 100]), stream.flush()])
    np.testing.assert_allclose(found, wanted, atol=5e-5)
    assert len(SpeechStream(model, pieces).flush()) == 0


def test_no_sound_beyond_the_look_ahead_moves_a_feature(model):
    pieces, frames = Pieces(chunk=2, before=3, ahead=1), 10

    @quick.jit
    def reach(sound):
        jacobian = jax.jacrev(lambda x: jnp.square(model.in_pieces(x, pieces)).reshape(frames // 2, -1).sum(1))(sound)
        return jnp.abs(jacobian).reshape(frames // 2, frames, FRAME).max(-1)

    found = np.asarray(reach(_sound(frames)))
    assert np.isfinite(found).all()
    for piece, row in enumerate(found):
        known = 2 * (piece + 1) + 1
        np.testing.assert_array_equal(row[known:], 0.0)
        # It does hear its own frames and those it may look ahead to.
        assert (row[2 * piece : known] > 0).all()


def test_difference_of_features():
    whole = np.random.default_rng(0).standard_normal((500, 6))
    found = whole.copy()
    found[:, 3:] = np.random.default_rng(1).standard_normal((500, 3))
    differences = relative_difference(found, whole, states=2)
    assert differences[0] == 0 and differences[1] == pytest.approx(2**0.5, abs=0.1)


def test_pieces_that_hear_more_come_closer_to_the_whole(model):
    sound = _sound(40)
    whole = quick.jit(model)(sound[None])[0]
    found = []
    for before, ahead in ((0, 0), (4, 2), (20, 10)):
        pieces = Pieces(5, before, ahead)
        made = quick.jit(lambda x, pieces=pieces: model.in_pieces(x, pieces))(sound)
        found.append(relative_difference(made, whole, model.states).mean())
    assert found[0] > found[1] > found[2] > 0


def test_random_weights_plan_a_run(monkeypatch):
    small = {"width": 16, "layers": 1, "heads": 2, "mlp_width": 8, "conv_widths": (4,) * 7}
    monkeypatch.setattr(
        "vasa_jax.pretrained.speech.Wav2Vec2Config",
        lambda: dataclasses.replace(_config_class()(), **small),
    )
    model = open_speech(RANDOM, layer=MIX, dtype="bfloat16")
    found = quick.jit(model)(_sound(2)[None])
    assert found.shape == (1, 4, 32) and found.dtype == jnp.float32 and np.isfinite(found).all()


def _config_class():
    from vasa_jax.models.audio.wav2vec2 import Wav2Vec2Config

    return Wav2Vec2Config


def test_models_of_another_rate_are_refused(tmp_path):
    with pytest.raises(InputError, match="a feature every 160 samples; 320 make two a video frame"):
        open_speech(write_folder(tmp_path, conv_stride=[5, 2, 2, 2, 2, 2, 1]))
    with pytest.raises(UsageError, match="at least one frame"):
        Pieces(chunk=0)
