"""What the motion model hears: log-mel by default, pretrained features where its configuration says so."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import quick
from tests.inference.test_motion import CONFIG, STATS
from tests.models.audio.speech_folder import write_folder
from vasa_jax import weights
from vasa_jax.errors import InputError, UsageError
from vasa_jax.inference import motion
from vasa_jax.inference.motion import MotionGenerator
from vasa_jax.models.audio import front_end
from vasa_jax.models.audio.front_end import open_for
from vasa_jax.models.audio.log_mel import LogMel
from vasa_jax.models.audio.protocol import SAMPLES_PER_FRAME, FrontEnd
from vasa_jax.models.motion_transformer import MotionConfig, init_params

HEARS = dataclasses.replace(
    CONFIG, speech="wav2vec2", speech_width=8, speech_layers=2, audio_encoder="transformer", audio_blocks=1
)


def _audio(frames: int, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(frames * 640)).astype(np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    return str(write_folder(tmp_path_factory.mktemp("speech")))


@functools.cache
def _speaker(generator: MotionGenerator, steps: int, method: str, eta: float):
    how = {"config": generator.config, "steps": steps, "method": method, "eta": eta}
    return quick.jit(functools.partial(motion.speak_window, **how))


def test_a_motion_model_speaks_through_pretrained_features(folder, monkeypatch) -> None:
    monkeypatch.setattr(MotionGenerator, "_speaker", _speaker)
    params = quick.jit(lambda key: init_params(HEARS, key))(jax.random.key(0))
    assert set(params["audio_encoder"]) == {"mix", "encoder"}
    params = jax.tree.map(lambda x: x + 0.1 * jax.random.normal(jax.random.key(1), x.shape), params)
    generator = MotionGenerator(HEARS, params, STATS, open_for(HEARS, folder, "--speech_model"))
    made = [np.concatenate(list(generator.windows([_audio(20, seed)], 20, steps=2))) for seed in (0, 0, 1)]
    assert made[0].shape == (20, 9) and np.isfinite(made[0]).all()
    np.testing.assert_array_equal(made[0], made[1])
    assert np.abs(made[0] - made[2]).max() > 1e-3


def test_unheard_frames_of_a_window_change_no_feature(folder) -> None:
    speech = open_for(HEARS, folder, "--speech_model")
    heard = np.arange(HEARS.frames) >= HEARS.context
    audio = _audio(HEARS.frames)
    loud = audio.copy()
    loud[: HEARS.context * 640] = 9.0
    listen = quick.jit(lambda x: speech.features(x[None], heard[None], jnp.full(1, -30.0)))
    (features, other), (floor, _) = zip(*map(listen, (audio, loud)), strict=True)
    features = [x[:, 2 * HEARS.context :] for x in (features, other)]
    assert floor == -30.0
    assert features[0].shape == (1, 2 * HEARS.window, 3 * 8)
    np.testing.assert_array_equal(*features)


def test_no_gradient_from_frames_that_are_not_heard(folder) -> None:
    speech = open_for(HEARS, folder, "--speech_model")
    heard = (np.arange(HEARS.frames) >= 2) & (np.arange(HEARS.frames) < 9)

    @quick.jit
    def reach(audio):
        loudness = lambda x: jnp.square(speech.features(x[None], heard[None], jnp.zeros(1))[0][:, 4:18]).sum()  # noqa: E731
        return jnp.abs(jax.grad(loudness)(audio)).reshape(HEARS.frames, 640).max(-1)

    np.testing.assert_array_equal(np.asarray(reach(_audio(HEARS.frames))) > 0, heard)


def test_one_hidden_state_instead_of_the_mix(folder) -> None:
    one = dataclasses.replace(HEARS, speech_layer=1)
    assert one.speech_states == 1 and one.speech_shape == (32, 8)
    speech = open_for(one, folder, "--speech_model")
    assert speech.layer == 1 and speech.width == 8


def test_what_does_not_fit_is_said(folder) -> None:
    with pytest.raises(UsageError, match="listens to log-mel; leave the flag out"):
        open_for(CONFIG, folder, "--speech_model")
    with pytest.raises(UsageError, match="of 2 layers of 8: give --speech_model=FOLDER"):
        open_for(HEARS, "", "--speech_model")
    with pytest.raises(InputError, match="does not fit the motion model: speech_width 8, not 16; give the model"):
        open_for(dataclasses.replace(HEARS, speech_width=16), folder, "--speech_model")
    with pytest.raises(InputError, match="load it with speech_model=FOLDER"):
        MotionGenerator(HEARS, {}, STATS)


@pytest.mark.parametrize("name", front_end.FRONT_ENDS)
def test_every_front_end_keeps_the_protocol(name, tmp_path) -> None:
    """What a model is built for before anything is opened is what it is given afterwards."""
    form = {"hubert": "base", "wavlm": "wavlm"}.get(name, "large")
    kind = {"model_type": "hubert"} if name == "hubert" else {}
    path = "" if name == "mel" else str(write_folder(tmp_path, form, **kind))
    config = dataclasses.replace(HEARS, speech=name)
    opened = open_for(config, path, "--speech_model")
    assert isinstance(opened, FrontEnd) and front_end.fitting(config, opened) is opened
    heard = np.ones((2, config.frames), bool)
    features, level = jax.eval_shape(opened.features, _audio(2 * config.frames).reshape(2, -1), heard, np.zeros(2))
    assert features.shape == (2, *config.speech_shape) and level.shape == (2,)
    assert opened.hop * config.speech_shape[0] == SAMPLES_PER_FRAME * config.frames
    assert all(isinstance(leaf, np.ndarray) for leaf in jax.tree.leaves(opened))
    assert len(jax.tree.leaves(opened)) == len(jax.tree.leaves(opened.params))


def test_a_kind_that_is_named_is_asked_for(folder) -> None:
    with pytest.raises(InputError, match="speech wav2vec2, not wavlm"):
        open_for(dataclasses.replace(HEARS, speech="wavlm"), folder, "--speech_model")


def test_log_mel_hears_no_further_than_it_says() -> None:
    hears, audio = LogMel(16), _audio(6)
    last = 3 * SAMPLES_PER_FRAME + hears.lookahead  # of what the third frame's features depend on
    changed = audio.copy()
    changed[last:] = 0.9
    # One level for both, so that only the features' own reach is seen.
    heard, floor = np.ones((1, 6), bool), np.zeros(1, np.float32)
    before, after = (hears.features(jnp.asarray(x[None]), heard, floor)[0] for x in (audio, changed))
    np.testing.assert_array_equal(before[:, :12], after[:, :12])
    changed[last - 1] = 0.9
    assert (hears.features(jnp.asarray(changed[None]), heard, floor)[0][:, :12] != before[:, :12]).any()


def test_the_bundled_motion_model_has_the_parameters_of_its_configuration() -> None:
    release = weights.load_release(weights.BUNDLED)
    config = MotionConfig.create(release.motion_config)
    assert (config.speech, config.audio_encoder) == ("mel", "conv")
    shapes = jax.eval_shape(lambda key: init_params(config, key), jax.random.key(0))
    found = jax.tree.map(lambda x: x.shape, release.motion_params)
    assert found == jax.tree.map(lambda x: x.shape, shapes)
