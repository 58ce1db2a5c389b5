"""Speech features: two a frame, padding that changes nothing, and pieces that hear no further than they say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import quick
from tests.models.audio.speech_folder import write_folder
from vasa_jax.errors import InputError, UsageError
from vasa_jax.models.audio import speech_model as speech
from vasa_jax.models.audio.speech_model import (
    RANDOM,
    Pieces,
    SpeechModel,
    SpeechStream,
    normalised,
    open_speech,
    relative_difference,
)
from vasa_jax.models.audio.wav2vec2 import Wav2Vec2Config

FRAME, FRAMES = 640, 8
PIECES = Pieces(chunk=2, before=3, ahead=1)

# One compilation for each shape and form of pieces, shared by the tests.
whole_of = quick.jit(SpeechModel.__call__)
pieces_of = quick.jit(SpeechModel.in_pieces, static_argnames="pieces")


@pytest.fixture(scope="module", params=["base", "large"])
def model(request, tmp_path_factory) -> SpeechModel:
    return open_speech(write_folder(tmp_path_factory.mktemp(request.param), request.param))


@pytest.fixture(scope="module", autouse=True)
def _compile_fast():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speech, "_piece", quick.jit(SpeechModel.piece, static_argnames="pieces"))
        yield


def _audio(frames: int = FRAMES, seed: int = 0) -> np.ndarray:
    """Noise whose loudness and mean wander, so that statistics of a part are not those of the whole."""
    rng = np.random.default_rng(seed)
    loudness = np.repeat(rng.uniform(0.02, 0.3, frames), FRAME)
    return (loudness * rng.standard_normal(frames * FRAME) + 0.05).astype(np.float32)


def test_two_features_a_frame_and_a_width_that_is_said(model):
    assert (model.width, model.states, model.edge) == (3 * 8, 3, 40)
    assert whole_of(model, _audio()[None]).shape == (1, 2 * FRAMES, 24)
    for frames in (1, 2, 25, 100, 15_000):
        assert model.config.steps(frames * FRAME + 2 * model.edge) == 2 * frames


def test_a_layer_is_its_part_of_the_mix(model):
    mix = whole_of(model, _audio()[None])
    last = model.replace(layer=2)
    assert last.width == 8
    np.testing.assert_allclose(whole_of(last, _audio()[None]), mix[..., 16:], atol=1e-5)
    with pytest.raises(UsageError, match="has hidden states 0 to 2, and no 3"):
        model.replace(layer=3)


def test_normalised_as_transformers_does():
    audio = np.stack([_audio(2), _audio(2, 1)])
    heard = np.arange(2 * FRAME) < np.asarray([[2 * FRAME], [700]])
    found = np.asarray(normalised(jnp.asarray(audio), jnp.asarray(heard)))
    for row, count in enumerate((2 * FRAME, 700)):
        x = audio[row, :count]
        # The formula of Wav2Vec2FeatureExtractor.zero_mean_unit_var_norm.
        np.testing.assert_allclose(found[row, :count], (x - x.mean()) / np.sqrt(x.var() + 1e-7), atol=1e-5)
        np.testing.assert_array_equal(found[row, count:], 0.0)
    assert np.isfinite(normalised(jnp.zeros((1, FRAME)))).all()


def test_padding_changes_nothing(model):
    long, short = _audio(), _audio(5, 1)
    batch = np.stack([long, np.pad(short, (0, 3 * FRAME), constant_values=7.0)])
    heard = np.arange(FRAMES * FRAME) < np.asarray([[FRAMES * FRAME], [5 * FRAME]])
    found = whole_of(model, batch, heard)
    # Values of up to 3 of a dozen layers, summed in another order by another batch: 2.1e-5 was seen.
    np.testing.assert_allclose(found[0], whole_of(model, long[None])[0], atol=5e-5)
    np.testing.assert_allclose(found[1, :10], whole_of(model, short[None])[0], atol=5e-5)


@pytest.mark.parametrize("pieces", [Pieces(8, 0, 0), Pieces(3, 8, 8)])
def test_pieces_that_hear_all_are_the_whole(model, pieces):
    whole = whole_of(model, _audio()[None])[0]
    found = pieces_of(model, _audio(), pieces=pieces)
    assert found.shape == whole.shape
    np.testing.assert_allclose(found, whole, atol=5e-5)


def test_pieces_that_hear_more_come_closer_to_the_whole(model):
    whole = whole_of(model, _audio()[None])[0]
    differences = [
        relative_difference(pieces_of(model, _audio(), pieces=pieces), whole, model.states).mean()
        for pieces in (Pieces(2, 0, 0), PIECES)
    ]
    assert differences[0] > differences[1] > 0


@pytest.mark.parametrize("sizes", [(8 * FRAME,), (1, 2 * FRAME, 777, 8 * FRAME), (3 * FRAME,) * 3])
def test_the_stream_sends_what_the_pieces_are(model, sizes):
    audio, stream, made, at = _audio(), SpeechStream(model, PIECES), [], 0
    for size in sizes:
        made.append(stream.push(audio[at : at + size]))
        at = min(at + size, len(audio))
        # What is sent lags by the look-ahead, by at most a piece, and by the sample that tells of more.
        assert sum(map(len, made)) == 4 * max((at - 1 - FRAME) // (2 * FRAME), 0)
    made.append(stream.flush())
    np.testing.assert_allclose(np.concatenate(made), pieces_of(model, audio, pieces=PIECES), atol=5e-5)


def test_a_stream_that_ends_within_a_frame_fills_it_with_silence(model):
    end = 7 * FRAME + 100
    audio = _audio()
    cut = np.where(np.arange(len(audio)) < end, audio, np.float32(0))
    stream = SpeechStream(model, PIECES)
    found = np.concatenate([stream.push(audio[:end]), stream.flush()])
    np.testing.assert_allclose(found, pieces_of(model, cut, pieces=PIECES), atol=5e-5)
    assert len(SpeechStream(model, PIECES).flush()) == 0


def test_no_audio_beyond_the_look_ahead_moves_a_feature(model):
    count = FRAMES // PIECES.chunk

    @quick.jit
    def reach(audio, piece):
        def loudness(audio):
            return jnp.square(model.in_pieces(audio, PIECES)).reshape(count, -1).sum(1)[piece]

        return jnp.abs(jax.grad(loudness)(audio)).reshape(FRAMES, FRAME).max(-1)

    found = np.stack([reach(_audio(), piece) for piece in range(count)])
    assert np.isfinite(found).all()
    for piece, row in enumerate(found):
        known = PIECES.chunk * (piece + 1) + PIECES.ahead
        np.testing.assert_array_equal(row[known:], 0.0)
        # It does hear its own frames and those it may look ahead to.
        assert (row[PIECES.chunk * piece : known] > 0).all()


def test_difference_of_features():
    whole = np.random.default_rng(0).standard_normal((500, 6))
    found = whole.copy()
    found[:, 3:] = np.random.default_rng(1).standard_normal((500, 3))
    differences = relative_difference(found, whole, states=2)
    assert differences[0] == 0 and differences[1] == pytest.approx(2**0.5, abs=0.1)


def test_random_weights_plan_a_run(monkeypatch):
    small = Wav2Vec2Config(width=16, layers=1, heads=2, mlp_width=8, conv_widths=(4,) * 7)
    monkeypatch.setattr(speech, "Wav2Vec2Config", lambda: small)
    found = whole_of(open_speech(RANDOM, dtype="bfloat16"), _audio(2)[None])
    assert found.shape == (1, 4, 32) and found.dtype == jnp.float32 and np.isfinite(found).all()


def test_models_of_another_rate_are_refused(tmp_path):
    with pytest.raises(InputError, match="a feature every 160 samples; 320 make two a video frame"):
        open_speech(write_folder(tmp_path, conv_stride=[5, 2, 2, 2, 2, 2, 1]))
    with pytest.raises(UsageError, match="at least one frame"):
        Pieces(chunk=0)
