"""What the audio encoders see of the audio, and the mix of hidden states."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import quick
from vasa_jax.models.audio.encoders import ConvEncoder, LayerMix, MixedEncoder, TransformerEncoder, by_frame
from vasa_jax.models.audio.log_mel import features, mel_power, speech_level


def _encoder(kind: str, per_frame: int = 4):
    if kind == "conv":
        return ConvEncoder(16, blocks=3, kernel=5, per_frame=per_frame)
    return TransformerEncoder(16, blocks=2, heads=2, per_frame=per_frame)


def _params(encoder, *inputs):
    return quick.jit(encoder.init)(jax.random.key(1), *inputs)


@pytest.mark.parametrize("kind", ["conv", "transformer"])
def test_silence_does_not_blow_up_the_first_gradient(kind: str) -> None:
    encoder = _encoder(kind)
    steps, heard = jnp.zeros((1, 40, 8)), jnp.ones((1, 10), bool)
    grads = quick.jit(jax.grad(lambda p: encoder.apply(p, steps, heard)[..., 0].sum()))(_params(encoder, steps, heard))
    # Ten frames; with a bias of zero this norm is above 1e6.
    assert max(float(jnp.abs(g).max()) for g in jax.tree.leaves(grads)) < 300.0


@pytest.mark.parametrize(("kind", "seen"), [("conv", (14, 27)), ("transformer", (0, 40))])
def test_what_it_sees_and_that_it_sees_no_unheard_frames(kind: str, seen: tuple[int, int]) -> None:
    encoder = _encoder(kind)
    steps = jax.random.uniform(jax.random.key(0), (1, 160, 8))
    heard = jnp.ones((1, 40), bool)
    params = _params(encoder, steps, heard)

    @quick.jit
    def reach(steps: jax.Array, heard: jax.Array) -> jax.Array:
        grads = jax.grad(lambda steps: jnp.square(encoder.apply(params, steps, heard)[0, 20]).sum())(steps)
        return jnp.abs(grads).reshape(40, -1).sum(-1) > 0

    np.testing.assert_array_equal(np.flatnonzero(reach(steps, heard)), np.arange(*seen))
    unheard = reach(steps, heard.at[:, 22:].set(False))
    np.testing.assert_array_equal(np.flatnonzero(unheard), np.arange(seen[0], 22))


def test_unheard_frames_change_nothing_in_the_transformer() -> None:
    """Between convolutions an unheard frame carries the bias; between tokens it carries nothing at all."""
    encoder = _encoder("transformer")
    steps, heard = jax.random.uniform(jax.random.key(0), (1, 32, 8)), jnp.arange(8)[None] < 5
    params = _params(encoder, steps, heard)
    run = quick.jit(encoder.apply)
    short = run(params, steps[:, :20], heard[:, :5])
    np.testing.assert_allclose(run(params, steps, heard)[:, :5], short, atol=1e-5)


def test_rotary_positions_make_it_blind_to_when_it_starts() -> None:
    encoder = _encoder("transformer", per_frame=2)
    steps = jax.random.uniform(jax.random.key(0), (1, 20, 6))
    late = jnp.pad(steps, ((0, 0), (8, 0), (0, 0)), constant_values=3.0)
    heard = jnp.arange(14)[None] >= 4
    params = _params(encoder, steps, jnp.ones((1, 10), bool))
    run = quick.jit(encoder.apply)
    np.testing.assert_allclose(run(params, late, heard)[:, 4:], run(params, steps, heard[:, 4:]), atol=1e-5)


def test_the_mix_starts_even_and_learns_which_state_counts() -> None:
    states = jax.random.normal(jax.random.key(0), (2, 6, 3, 4)) * jnp.asarray([1.0, 10.0, 100.0])[None, None, :, None]
    flat, mix = states.reshape(2, 6, 12), LayerMix(3)
    params = mix.init(jax.random.key(1), flat)
    apart = (states - states.mean(-1, keepdims=True)) / states.std(-1, keepdims=True)
    # The norm adds 1e-6 to the variance.
    np.testing.assert_allclose(mix.apply(params, flat), apart.mean(2), atol=1e-4)
    chosen = {"params": {"weights": jnp.asarray([0.0, 50.0, 0.0])}}
    np.testing.assert_allclose(mix.apply(chosen, flat), apart[:, :, 1], atol=1e-4)


def test_a_mixed_encoder_learns_its_weights() -> None:
    encoder = MixedEncoder(3, _encoder("conv", per_frame=2))
    steps, heard = jax.random.normal(jax.random.key(0), (1, 8, 12)), jnp.ones((1, 4), bool)
    params = _params(encoder, steps, heard)
    grads = quick.jit(jax.grad(lambda p: jnp.square(encoder.apply(p, steps, heard)[..., 0]).sum()))(params)
    assert jnp.abs(grads["params"]["mix"]["weights"]).max() > 0


def test_steps_of_a_frame_lie_side_by_side() -> None:
    steps = jnp.arange(24.0).reshape(1, 12, 2)
    np.testing.assert_array_equal(by_frame(steps, 4)[0, 1], np.arange(8, 16))
    np.testing.assert_array_equal(by_frame(steps, 2)[0, 5], np.arange(20, 24))


def test_log_mel_of_a_second_makes_25_frames() -> None:
    power = mel_power(jnp.zeros((1, 16_000)), 8)
    assert by_frame(features(power, speech_level(power)), 4).shape == (1, 25, 32)
