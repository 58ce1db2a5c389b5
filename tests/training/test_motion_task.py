"""The motion task: learns, masks, drops, and draws its randomness per example."""

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax
import pytest

from tests import quick
from vasa_jax.models.audio import log_mel
from vasa_jax.training import motion_task
from vasa_jax.training.task import example_keys

W, K, M = 20, 5, 11


def config(**loss: object) -> ml_collections.ConfigDict:
    model = dict(
        motion_dim=M, width=32, depth=2, heads=4, layout="B", window=W, context=K, bands=16, audio_blocks=2, lookahead=3
    )
    return ml_collections.ConfigDict({"model": model, "loss": loss})


def batch(size: int = 16, seed: int = 0) -> dict[str, np.ndarray]:
    """Motion whose first dynamics value is the loudness of the audio, in syllables of random length."""
    rng = np.random.default_rng(seed)
    loudness = np.repeat(rng.uniform(0, 1, (size, (K + W) // 5)) > 0.5, 5, axis=1).astype(np.float32)
    audio = 0.2 * np.repeat(loudness, 640, axis=1) * rng.standard_normal((size, (K + W) * 640))
    motion = 0.3 * rng.standard_normal((size, K + W, M))
    motion[..., 7] = loudness * 2.0
    return {
        "audio": audio.astype(np.float32),
        "motion": motion.astype(np.float32) + 3.0,
        "mouth": np.stack([loudness, loudness], -1) * 0.1,
        "gaze": np.zeros((size, 2), np.float32),
        "distance": np.zeros(size, np.float32),
        "emotion": np.zeros((size, 8), np.float32),
        "valid": np.ones((size, K + W), bool),
        "index": np.arange(size, dtype=np.int32),
        "domain": np.zeros(size, np.int32),
    }


STATS = motion_task.statistics([batch(64)])
QUIET = {"level_down": 0.0, "level_up": 0.0, "tilt": 0.0, "equaliser": 0.0, "warp": 0.0, "noise_probability": 0.0,
         "mask_probability": 0.0, "pause_probability": 0.0}  # fmt: skip


def test_statistics_standardise_and_read_the_mouth() -> None:
    data = batch(64)
    rows = (data["motion"] - np.asarray(STATS["mean"])) / np.asarray(STATS["std"])
    np.testing.assert_allclose(rows.mean((0, 1)), 0.0, atol=1e-4)
    np.testing.assert_allclose(rows.std((0, 1)), 1.0, atol=1e-4)
    readout = rows @ np.asarray(STATS["mouth_readout"])
    assert np.corrcoef(readout.ravel(), data["mouth"][..., 0].ravel())[0, 1] > 0.99
    assert (np.asarray(STATS["low"]) < data["motion"].min((0, 1)) + 1.0).all()


def test_samples_for_the_eye_and_the_ear() -> None:
    task = motion_task.make_motion_task(config(), STATS)
    params = jax.eval_shape(task.init, jax.random.key(0), batch())
    samples = jax.eval_shape(task.images, task.given(params), batch(), jax.random.key(0))
    assert samples["generated_above_real"].shape == (4 * 2 * (M + 1) * 4, W * 4, 3)
    assert samples["sound_of_the_first"].shape == ((K + W) * 640,)


@pytest.mark.parametrize("encoder", ["conv", pytest.param("transformer", marks=pytest.mark.slow)])
@pytest.mark.heavy
def test_it_learns_to_hear(encoder: str) -> None:
    wanted = config(augment=QUIET)
    wanted.model.audio_encoder = encoder
    task = motion_task.make_motion_task(wanted, STATS)
    params = task.given(quick.jit(task.init)(jax.random.key(0), batch()))
    optimizer = optax.adam(3e-3)
    state = optimizer.init(params)
    loss_fn = task.losses["motion"]

    @jax.jit
    def step(params, state, data, key):
        (_, (metrics, _)), grads = jax.value_and_grad(lambda p: loss_fn(p, data, key, 0, {}), has_aux=True)(params)
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(params, updates), state, metrics

    held_out = {k: jnp.asarray(v) for k, v in batch(seed=99).items()}
    evaluate = quick.jit(task.evaluate)
    before = evaluate(params, held_out, jax.random.key(1))
    for i in range(150):
        params, state, metrics = step(params, state, batch(seed=i), jax.random.key(i))
    after = evaluate(params, held_out, jax.random.key(1))
    assert after["x0"] < 0.9 * before["x0"]
    # The one audible value of eleven is found; the others are noise.
    assert after["mouth_changes"] > 0.7
    assert after["mouth_changes_wrong"] < 0.5
    assert {"x0", "x0_pose", "x0_dynamics", "velocity", "mouth"} <= set(metrics)


def test_examples_draw_by_their_index() -> None:
    """Halves of a batch, with their global index, give the mean of the whole: what a mesh and pmap need."""
    task = motion_task.make_motion_task(config(), STATS)
    data, key = batch(), jax.random.key(5)
    params = task.given(quick.jit(task.init)(jax.random.key(0), data))
    loss = quick.jit(lambda data: task.losses["motion"](params, data, key, 0, {})[0])
    data["valid"][3, 12:] = False
    halves = [loss({k: v[at] for k, v in data.items()}) for at in (np.s_[:8], np.s_[8:])]
    np.testing.assert_allclose(np.mean(halves), loss(data), rtol=1e-4)


def test_frames_that_do_not_exist_cost_nothing() -> None:
    task = motion_task.make_motion_task(config(augment=QUIET, previous_noise=0.0), STATS)
    data = batch()
    params = task.given(quick.jit(task.init)(jax.random.key(0), data))
    data["valid"][:, 18:] = False
    loss = quick.jit(lambda data: task.losses["motion"](params, data, jax.random.key(2), 0, {})[0])
    before = loss(data)
    data["motion"][:, 18:] = 1e3
    np.testing.assert_allclose(loss(data), before, rtol=1e-4)


def test_share_of_null_conditions_and_unheard_frames() -> None:
    task = motion_task._MotionTask(config(), STATS)
    data = batch(400)
    conditions, _, drop = quick.jit(task.varied)(data, example_keys(jax.random.key(0), data["index"]), task.speech)
    # Four standard errors of a share from 400 draws.
    for name, share in {"audio": 0.1, "gaze": 0.1, "distance": 0.1, "emotion": 0.1, "previous": 0.5}.items():
        assert abs(float(drop[name].mean()) - share) < 4 * np.sqrt(share * (1 - share) / 400), name
    heard = np.asarray(conditions.audio_mask)
    assert not heard[np.asarray(drop["previous"]), :K].any() and heard[~np.asarray(drop["previous"]), :K].all()
    assert abs((~heard[:, -1]).mean() - 0.3) < 0.07
    assert np.isfinite(np.asarray(conditions.audio)).all()


def test_the_level_is_that_of_what_is_heard() -> None:
    """As at inference: a shout in a tail that is not heard turns nothing down, with and without augmentation."""
    task = motion_task._MotionTask(config(augment=QUIET, tail_probability=1.0, tail_frames=1), STATS)
    data, heard = batch(4), K + W - 1
    shouted = {**data, "audio": data["audio"].copy()}
    # The first 7.5 ms of a frame are seen by the frame before.
    shouted["audio"][:, heard * 640 + 200 :] = 0.99 * np.sign(np.sin(np.arange(440)))
    keys = example_keys(jax.random.key(0), data["index"])
    varied = quick.jit(lambda data: task.varied(data, keys, task.speech)[0])
    before, after = varied(data), varied(shouted)
    assert not np.asarray(before.audio_mask)[:, heard:].any()
    np.testing.assert_array_equal(before.audio[:, : 4 * heard], after.audio[:, : 4 * heard])
    plain = quick.jit(lambda data: task.plain(data, task.speech)[0])
    short = {"valid": data["valid"] & (np.arange(K + W) < heard)}
    before, after = plain(data | short), plain(shouted | short)
    np.testing.assert_array_equal(before.audio, after.audio)


def test_tracks_go_with_the_frames_they_belong_to() -> None:
    wanted = config()
    wanted.model.per_frame = True
    task = motion_task._MotionTask(wanted, STATS)
    data = batch(8)
    # Each condition follows a value of the motion, so that where frames are lengthened it must go along.
    data["tracks"] = np.repeat(data["motion"][..., 8:9], 11, -1)
    conditions, clean, _ = quick.jit(task.varied)(data, example_keys(jax.random.key(0), data["index"]), task.speech)
    assert conditions.told["gaze"].shape == (8, K + W, 2) and conditions.told["emotion"].shape == (8, K + W, 8)
    follows = clean[..., 8] * STATS["std"][8] + STATS["mean"][8]
    np.testing.assert_allclose(conditions.told["distance"][:, K:], follows, atol=1e-4)
    given = lambda: task.init(jax.random.key(0), data) | {"networks": {"speech": task.speech}}  # noqa: E731
    loss, _ = jax.eval_shape(lambda: task.loss(given(), data, jax.random.key(1), 0, {}))
    assert loss.shape == ()


def test_pauses_are_found_where_the_audio_is_low() -> None:
    audio = np.zeros(40 * 640, np.float32)
    audio[: 15 * 640] = 0.1 * np.random.default_rng(0).standard_normal(15 * 640)
    power = log_mel.mel_power(jnp.asarray(audio), 16)
    silent = np.asarray(motion_task.silent_frames(power, log_mel.speech_level(power)))
    # Two frames after speech belong to it, and one that still hears its last samples.
    assert not silent[:17].any() and silent[18:].all()


def test_change_correlation() -> None:
    rng = np.random.default_rng(0)
    real = jnp.asarray(rng.standard_normal((3, 60)))
    valid = jnp.ones((3, 60), bool)
    assert motion_task.change_correlation(2 * real + 1, real, valid) == pytest.approx(1.0, abs=1e-4)
    late = jnp.roll(real, 2, axis=1)
    assert motion_task.change_correlation(late, real, valid.at[:, :3].set(False)) > 0.99
    assert motion_task.change_correlation(jnp.asarray(rng.standard_normal((3, 60))), real, valid) < 0.45


def test_statistics_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match="statistics"):
        motion_task.make_motion_task(config(), {"mean": [0.0] * 3, "std": [1.0] * 3})
