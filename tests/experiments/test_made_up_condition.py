"""A condition that nobody has heard of is declared in one place, and then stored, trained on, sampled and asked for."""

import dataclasses
import json

import jax
import ml_collections
import numpy as np
import pytest
from absl import flags

from data_pipelines.prepare import latents
from experiments import train
from experiments.common import agreement, condition_flags, dry_run, tasks
from tests import quick
from tests.data_pipelines.conftest import write_dataset
from vasa_jax import conditions, weights
from vasa_jax.errors import InputError, UsageError
from vasa_jax.inference import controls, tracks
from vasa_jax.inference.motion import MotionGenerator
from vasa_jax.models.motion_transformer import MotionConfig, init_params
from vasa_jax.training.train_step import init_state, make_optimizers, make_train_step

SQUINT = conditions.Condition(
    "squint",
    says="how far the lids are closed",
    guides="How strongly --squint is followed.",
    parts=("left", "right"),
    unit="shares",
    limit=2.0,
    example="0.5,0.5",
    standardised=True,
    source=lambda labels: labels["lids"],
)
WHOLE = (*conditions.PAPER, "squint")


@pytest.fixture(scope="module", autouse=True)
def _declared():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conditions, "CONDITIONS", (*conditions.CONDITIONS, SQUINT))
        patch.setattr(controls, "Controls", controls.declare())  # a new process reads the table as it starts
        yield


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> ml_collections.ConfigDict:
    """Latents of a made data set with the condition in it, and a small model that is told it."""
    root = tmp_path_factory.mktemp("data")
    folder = write_dataset(root, "made", {"train": [(f"c{k}", f"s{k % 2}", 30) for k in range(4)]})

    def encode(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        colour = images.mean((1, 2))
        return np.tile(colour, (1, 3))[:, :7], colour

    latents.encode_dataset(folder, "made", encode, 64, root / "made.npz", batch_size=60)
    from experiments.configs.motion import tiny

    config = tiny.get_config()
    small = {"motion_dim": 10, "width": 16, "depth": 1, "heads": 2, "window": 12, "context": 4, "bands": 8}
    config.model.update({**small, "audio_blocks": 1, "conditions": WHOLE, "per_frame": True})
    config.data.update({"dir": str(root), "engine": "threads"})
    config.data.mixture = ml_collections.ConfigDict({"made": 1.0})
    config.batch_size = 4
    return config


@pytest.fixture(scope="module")
def trained(config) -> MotionGenerator:
    """Two steps of training."""
    agreement.check(config)
    stream = train.make_stream(config, "train")
    stats = {"mean": [0.0] * 10, "std": [1.0] * 10}
    task = tasks.make_task(config, stats)
    optimizers = make_optimizers(config, task)
    state = quick.jit(lambda key: init_state(task, optimizers, key, stream.batch(0)))(jax.random.key(0))
    step = quick.jit(make_train_step(task, optimizers))
    first = jax.device_get(state.params)
    for k in range(2):
        state, metrics = step(state, stream.batch(k), jax.random.key(1), task.networks)
    params = jax.device_get(state.params)["motion"]
    assert all(np.isfinite(x).all() for x in jax.tree.leaves((params, jax.device_get(metrics))))
    assert np.abs(params["squint_in"]["kernel"] - first["motion"]["squint_in"]["kernel"]).max() > 0
    return MotionGenerator(config.model, params, stats)


def _made(generator: MotionGenerator, **options: object) -> np.ndarray:
    audio = (0.1 * np.random.default_rng(0).standard_normal(12 * 640)).astype(np.float32)
    return np.concatenate(list(generator.windows([audio], 12, steps=2, **options)))


def test_the_cache_and_the_batch_hold_it(config) -> None:
    with np.load(f"{config.data.dir}/made.npz") as cache:
        np.testing.assert_array_equal(cache["squint"], cache["lids"])
        mean, std = cache["squint_mean"], cache["squint_std"]
        batch = train.make_stream(config, "train").batch(0)
        rows = cache["lids"][cache["offsets"][batch["clip"][0]] :][:30]
    assert batch["squint"].shape == (4, 2) and batch["tracks"].shape == (4, 16, 13)
    track = batch["tracks"][0, :, 11:] * std + mean
    starts = [k for k in range(15) if np.allclose(rows[k : k + 16], track, atol=1e-5)]
    assert len(starts) == 1, "the last columns of a track are its frames"


def test_a_dry_run_has_the_batch_that_the_stream_gives(config) -> None:
    asked, given = dry_run.example_batch(config), train.make_stream(config, "train").batch(0)
    for name, value in asked.items():
        assert (value.shape, value.dtype) == (given[name].shape, given[name].dtype), name


def test_training_makes_it_null_now_and_then(config) -> None:
    from vasa_jax.training.motion_task import default_loss

    assert default_loss().drop.squint == 0.1


def test_a_flag_and_a_track_set_it_and_its_guidance(trained, tmp_path) -> None:
    values = flags.FlagValues()
    defined = condition_flags.define(values)
    values(["vasa-generate", "--squint=0.9,-0.5", "--cfg_squint=1.5"])
    wanted = controls.Controls(**defined.controls())
    assert wanted.squint == (0.9, -0.5) and wanted.guidance() == {"audio": 0.5, "gaze": 1.0, "squint": 1.5}
    assert wanted.described()["squint"] == (0.9, -0.5) and wanted.described()["cfg_squint"] == 1.5
    plain = _made(trained)
    told = _made(trained, **wanted.vectors())
    guided = _made(trained, guidance=wanted.guidance(), **wanted.vectors())
    assert np.abs(told - plain).max() > 1e-5 and np.abs(guided - told).max() > 1e-5
    (tmp_path / "track.csv").write_text("frame,squint_left\n0,0\n11,1\n")
    moving = controls.Controls(**tracks.merge(defined.controls(), tmp_path / "track.csv"))
    assert moving.squint.shape == (13, 2)
    np.testing.assert_allclose(moving.squint[:12, 0], np.linspace(0, 1, 12), atol=1e-6)
    np.testing.assert_allclose(moving.squint[:, 1], -0.5)
    assert np.abs(_made(trained, **moving.vectors()) - told).max() > 1e-5
    with pytest.raises(UsageError, match=r"give left,right in shares, each from -2 to 2"):
        controls.Controls(squint=(3.0, 0.0))
    values(["vasa-generate", "--squint=1"])
    with pytest.raises(UsageError, match="give two numbers left,right in shares, for instance 0.5,0.5"):
        defined.controls()


def test_a_release_remembers_what_its_model_is_told(trained) -> None:
    stored = json.loads(json.dumps(dataclasses.asdict(trained.config)))
    assert MotionConfig.create(stored) == trained.config


def test_released_weights_do_not_know_it_and_load_as_before() -> None:
    release = weights.load_release(weights.BUNDLED)
    config = MotionConfig.create(release.motion_config)
    assert config.conditions == conditions.PAPER and config.guided[-1] == "previous"
    shapes = jax.eval_shape(lambda key: init_params(config, key), jax.random.key(0))
    assert jax.tree.map(np.shape, shapes) == jax.tree.map(np.shape, release.motion_params)
    generator = MotionGenerator(config, release.motion_params, release.motion_stats)
    with pytest.raises(UsageError, match="squint: this motion model knows gaze, distance, emotion only"):
        next(generator.windows([], 5, squint=(1.0, 0.0)))


def test_a_cache_without_it_says_so(config, tmp_path) -> None:
    with np.load(f"{config.data.dir}/made.npz") as cache:
        np.savez(tmp_path / "made.npz", **{name: cache[name] for name in cache.files if not name.startswith("squint")})
    moved = config.copy_and_resolve_references()
    moved.data.dir = str(tmp_path)
    with pytest.raises(InputError, match="no squint, squint_mean, squint_std in it.*make it again with"):
        train.make_stream(moved, "train")
