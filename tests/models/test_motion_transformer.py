"""The motion transformer: what may read what, null conditions, size of the shipped configs."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import quick
from vasa_jax import conditions, weights
from vasa_jax.models.motion_transformer import (
    MotionConditions,
    MotionConfig,
    MotionTransformer,
    fill_rest,
    init_params,
)

SIZES = [("vasa", 0.95 * 29e6, 1.05 * 29e6), ("small", 1.5e6, 3.2e6), ("tiny", 0.1e6, 1e6)]
B, W, K, M, BANDS = 2, 12, 4, 9, 8


def _config(layout: str, **changes: object) -> MotionConfig:
    size = dict(motion_dim=M, width=24, depth=2, heads=4, window=W, context=K, bands=BANDS, audio_blocks=1)
    return MotionConfig(layout=layout, **{**size, **changes})


def _conditions(seed: int = 0) -> MotionConditions:
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> jax.Array:
        return jnp.asarray(rng.standard_normal(shape), jnp.float32)

    every = jnp.ones((B, K + W), bool)
    audio, previous = draw(B, 4 * (K + W), BANDS), draw(B, K, M)
    told = {"gaze": draw(B, 2), "distance": draw(B), "emotion": draw(B, 8)}
    return MotionConditions(audio, every, previous, told, every)


def _with(conditions: MotionConditions, other: MotionConditions, name: str) -> MotionConditions:
    """The first with one condition of the second."""
    if name in other.told:
        return conditions.tell(**{name: other.told[name]})
    return conditions.replace(**{name: getattr(other, name)})


def _params(config: MotionConfig) -> dict:
    return {"params": quick.jit(lambda key: init_params(config, key))(jax.random.key(0))}


@pytest.fixture(scope="module", params=[("A", "learned"), ("B", "learned"), ("A", "rotary")], ids="-".join)
def model(request: pytest.FixtureRequest):
    layout, positions = request.param
    config = _config(layout, positions=positions)
    params = _params(config)["params"]
    # The output starts near zero; a larger one makes every dependence visible.
    params = jax.tree.map(lambda x: x + 0.05 * jax.random.normal(jax.random.key(1), x.shape), params)
    noisy, timestep = jax.random.normal(jax.random.key(2), (B, W, M)), jnp.asarray([3, 800])

    @quick.jit
    def compiled(noisy: jax.Array, timestep: jax.Array, conditions: MotionConditions, drop: dict) -> jax.Array:
        return MotionTransformer(config).apply({"params": params}, noisy, timestep, conditions, drop)

    def run(conditions: MotionConditions, noisy=noisy, timestep=timestep, **drop: jax.Array) -> np.ndarray:
        absent = {name: jnp.zeros(B, bool) for name in config.guided}
        return np.asarray(compiled(noisy, timestep, conditions, absent | drop))

    return run, noisy


def test_shape_and_batch_independence(model) -> None:
    run, noisy = model
    out = run(_conditions())
    assert out.shape == (B, W, M) and out.dtype == np.float32
    changed = run(_conditions(), noisy=noisy.at[1].add(1.0))
    np.testing.assert_array_equal(out[0], changed[0])
    assert np.abs(out[1] - changed[1]).max() > 1e-3


@pytest.mark.parametrize("name", [condition.name for condition in conditions.CONDITIONS])
def test_a_condition_is_read_unless_it_is_null(model, name: str) -> None:
    run, _ = model
    one, other = _conditions(0), _conditions(1)
    both = [one, _with(one, other, name)]
    given = [run(c) for c in both]
    assert np.abs(given[0] - given[1]).max() > 1e-4
    null = [run(c, **{name: jnp.ones(B, bool)}) for c in both]
    np.testing.assert_array_equal(*null)
    # Null is not merely zero, and a row's choice is its own.
    mixed = run(one, **{name: jnp.asarray([True, False])})
    np.testing.assert_allclose(mixed[0], null[0][0], atol=1e-6)
    np.testing.assert_allclose(mixed[1], given[0][1], atol=1e-6)


def test_neutral_is_what_the_other_emotions_leave() -> None:
    given = np.zeros((4, 8), np.float32)
    given[1:, 4] = 0.6, 1, -0.5
    given[2, 0] = 0.5
    given[:, 5] = 0, 0, 0.3, 0.9  # what is said of neutral itself does not count
    filled = np.asarray(fill_rest(jnp.asarray(given), 5))
    np.testing.assert_allclose(filled[:, 5], [1, 0.4, 0, 1], atol=1e-6)
    np.testing.assert_array_equal(np.delete(filled, 5, 1), np.delete(given, 5, 1))


def _without_emotion() -> tuple[MotionConditions, MotionConditions]:
    """Conditions with no emotion at all, and the same with neutral as the only one."""
    nothing = _conditions().tell(emotion=jnp.zeros((B, 8)))
    return nothing, nothing.tell(emotion=jnp.zeros((B, 8)).at[:, 5].set(1.0))


def test_the_bundled_model_takes_what_is_left_as_neutral() -> None:
    assert weights.load_release(weights.BUNDLED).motion_config["neutral_is_rest"]


def test_without_that_emotions_are_seen_as_they_are_given(model) -> None:
    run, _ = model
    nothing, neutral = (run(conditions) for conditions in _without_emotion())
    assert np.abs(nothing - neutral).max() > 1e-4


def test_no_emotion_is_neutral_to_new_models() -> None:
    config = _config("B", neutral_is_rest=True, width=8, depth=1, heads=2)
    params = jax.tree.map(lambda x: x + 0.1, quick.jit(lambda key: init_params(config, key))(jax.random.key(0)))
    noisy, timestep = jax.random.normal(jax.random.key(2), (B, W, M)), jnp.zeros(B, jnp.int32)
    run = quick.jit(
        lambda conditions: MotionTransformer(config).apply({"params": params}, noisy, timestep, conditions, {})
    )
    nothing, neutral = _without_emotion()
    np.testing.assert_array_equal(run(nothing), run(neutral))
    assert np.abs(run(nothing) - run(nothing.tell(emotion=jnp.eye(8)[:B]))).max() > 1e-4


def test_a_track_counts_by_its_mean_over_the_window(model) -> None:
    run, _ = model
    gaze = jnp.asarray(np.random.default_rng(5).normal(size=(B, K + W, 2)), jnp.float32)
    track, mean = (_conditions().tell(gaze=g) for g in (gaze, gaze[:, K:].mean(1)))
    np.testing.assert_allclose(run(track), run(mean), atol=1e-5)


@pytest.mark.heavy
def test_tracks_start_without_effect_and_then_reach_their_frames() -> None:
    plain, told = _config("B", width=8, depth=1, heads=2), _config("B", width=8, depth=1, heads=2, per_frame=True)
    params = quick.jit(lambda key: init_params(told, key))(jax.random.key(0))
    params = {**params, "motion_out": jax.tree.map(lambda x: x + 0.1, params["motion_out"])}
    noisy, timestep = jax.random.normal(jax.random.key(2), (B, W, M)), jnp.asarray([3, 800])

    @quick.jit
    def run(params: dict, conditions: MotionConditions, drop: dict) -> jax.Array:
        return MotionTransformer(told).apply({"params": params}, noisy, timestep, conditions, drop)

    without = {name: value for name, value in params.items() if name != "track_in"}
    given = {"gaze": jnp.zeros(B, bool)}
    expected = MotionTransformer(plain).apply({"params": without}, noisy, timestep, _conditions(), given)
    np.testing.assert_allclose(run(params, _conditions(), given), expected, atol=1e-6)
    kernel = jax.random.normal(jax.random.key(1), params["track_in"]["kernel"].shape)
    params = {**params, "track_in": {**params["track_in"], "kernel": kernel}}
    track = jnp.zeros((B, K + W, 2))
    # Two tracks of one mean: only the frames can tell them apart, and not where gaze is null.
    swing = track.at[:, K + 2, 0].add(1.0).at[:, -1, 0].add(-1.0)
    still, moved = (_conditions().tell(gaze=g) for g in (track, swing))
    assert np.abs(run(params, still, given) - run(params, moved, given)).max() > 1e-4
    null = {"gaze": jnp.ones(B, bool)}
    np.testing.assert_allclose(run(params, still, null), run(params, moved, null), atol=1e-6)


def test_frames_that_do_not_exist_are_not_read(model) -> None:
    run, noisy = model
    conditions = _conditions()
    valid = jnp.arange(K + W)[None] < K + W - 3
    conditions = conditions.replace(valid=valid | jnp.zeros((B, 1), bool), audio_mask=valid | jnp.zeros((B, 1), bool))
    steps = conditions.audio.at[:, -12:].add(5.0)
    before, after = run(conditions), run(conditions.replace(audio=steps), noisy=noisy.at[:, -3:].add(5.0))
    np.testing.assert_allclose(before[:, :-3], after[:, :-3], atol=1e-5)


def test_unheard_frames_and_the_audio_of_a_null_context_do_not_matter(model) -> None:
    run, _ = model
    conditions = _conditions()
    loud = conditions.replace(audio=conditions.audio.at[:, -8:].add(5.0))
    unheard = jnp.broadcast_to(jnp.arange(K + W) < K + W - 2, (B, K + W))
    np.testing.assert_array_equal(run(conditions.replace(audio_mask=unheard)), run(loud.replace(audio_mask=unheard)))
    heard = jnp.broadcast_to(jnp.arange(K + W) >= K, (B, K + W))
    before = conditions.replace(audio=conditions.audio.at[:, : 4 * K].add(5.0), audio_mask=heard)
    dropped = jnp.ones(B, bool)
    np.testing.assert_array_equal(
        run(conditions.replace(audio_mask=heard), previous=dropped), run(before, previous=dropped)
    )


def test_time_is_read(model) -> None:
    run, _ = model
    assert np.abs(run(_conditions()) - run(_conditions(), timestep=jnp.asarray([900, 10]))).max() > 1e-3


def test_encoding_first_is_the_same() -> None:
    config = _config("B")
    conditions, noisy, timestep = _conditions(), jnp.ones((B, W, M)), jnp.asarray([3, 800])
    model = MotionTransformer(config)

    @quick.jit
    def both(params):
        audio = model.apply(params, conditions.audio, conditions.audio_mask, method="encode_audio")
        split = model.apply(params, noisy, timestep, conditions.replace(audio=audio), {}, method="denoise")
        return split, model.apply(params, noisy, timestep, conditions, {})

    np.testing.assert_allclose(*both(_params(config)), atol=1e-6)


def test_bfloat16_stays_close() -> None:
    args = (jnp.ones((B, W, M)), jnp.asarray([3, 800]), _conditions(), {})
    configs = _config("A"), _config("A", dtype="bfloat16")
    exact, rounded = (quick.jit(MotionTransformer(c).apply)(_params(_config("A")), *args) for c in configs)
    assert rounded.dtype == jnp.float32
    # bfloat16 keeps 8 bits: some 1 % of outputs of order 0.1.
    np.testing.assert_allclose(exact, rounded, atol=3e-2)


@pytest.mark.parametrize("remat", ["blocks", pytest.param("norms", marks=pytest.mark.slow)])
@pytest.mark.parametrize("positions", [pytest.param("learned", marks=pytest.mark.slow), "rotary"])
@pytest.mark.heavy
def test_what_is_computed_again_has_the_same_gradients(remat: str, positions: str) -> None:
    args = (jnp.ones((B, W, M)), jnp.asarray([3, 800]), _conditions(), {})
    kept = _config("A", positions=positions)
    params = _params(kept)

    def gradients(config: MotionConfig):
        return quick.jit(jax.grad(lambda p: jnp.sum(MotionTransformer(config).apply(p, *args) ** 2)))(params)

    again = gradients(_config("A", positions=positions, remat=remat))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), gradients(kept), again)


def test_bad_configs_are_refused() -> None:
    for changes in (
        {"remat": "all"},
        {"layout": "C"},
        {"heads": 5},
        {"lookahead": 9},
        {"positions": "no"},
        {"positions": "rotary", "heads": 8},
        {"conditions": ("gaze", "audio")},
    ):
        with pytest.raises(ValueError):
            _config(**{"layout": "A", **changes})
    with pytest.raises(TypeError):
        MotionConfig.create({"motion_dim": 9, "colour": 3})


@pytest.mark.parametrize(("name", "low", "high"), SIZES)
def test_sizes_of_the_shipped_configs(name: str, low: float, high: float) -> None:
    config = importlib.import_module(f"experiments.configs.motion.{name}").get_config()
    shapes = jax.eval_shape(lambda key: init_params(MotionConfig.create(config.model), key), jax.random.key(0))
    assert low < sum(x.size for x in jax.tree.leaves(shapes)) < high
