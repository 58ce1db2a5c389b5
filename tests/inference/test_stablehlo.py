"""What is exported gives what the models give, for any batch, with jax and numpy alone."""

import subprocess
import sys

import jax
import ml_collections
import numpy as np
import pytest

from tests.inference import small_release
from tests.inference.small_release import SIZE
from vasa_jax.errors import UsageError
from vasa_jax.inference import stablehlo
from vasa_jax.inference.motion import MotionGenerator
from vasa_jax.inference.renderer import FaceRenderer
from vasa_jax.inference.starting_noise import StartingNoise
from vasa_jax.models.face_latent import FaceLatentModel
from vasa_jax.models.motion_transformer import MotionConfig

CHILD = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np
import load
given = np.load(sys.argv[2])
face = load.Exported(sys.argv[1])
latents = face.encode(given["pictures"])
inputs = face.silence(batch=2) | {"sound": given["sound"], "noise": given["noise"]}
motion, level = face.motion(**inputs)
frames = face.decode(latents, given["vectors"], row=1)
for name in ("flax", "vasa_jax", "ml_collections", "safetensors", "scipy"):
    assert name not in sys.modules or name == "scipy", name
vectors = face.to_vectors(motion[0])
np.savez(sys.argv[3], motion=motion, frames=frames, vectors=vectors, pose=latents["pose"], level=level)
"""


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return small_release.make(tmp_path_factory.mktemp("release"))


@pytest.mark.heavy
def test_round_trip(release, tmp_path):
    written = stablehlo.write(release, tmp_path / "out", steps=3)
    assert set(written) == {
        *(f"{name}.stablehlo" for name in ("encode", "decode", "motion")),
        *("face.safetensors", "motion.safetensors", "config.json", "load.py"),
    }
    random = np.random.default_rng(0)
    config = MotionConfig.create(release.motion_config)
    given = {
        "pictures": random.uniform(0, 1, (2, SIZE, SIZE, 3)).astype(np.float32),
        "sound": random.normal(0, 0.1, (2, config.frames * 640)).astype(np.float32),
        "noise": random.normal(size=(2, config.window, config.motion_dim)).astype(np.float32),
        "vectors": random.normal(0, 0.2, (3, config.motion_dim)).astype(np.float32),
    }
    given["vectors"][:, 6] = 1
    np.savez(tmp_path / "given.npz", **given)
    command = [sys.executable, "-c", CHILD, tmp_path / "out", tmp_path / "given.npz", tmp_path / "made.npz"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    made = np.load(tmp_path / "made.npz")

    renderer = FaceRenderer(
        FaceLatentModel(ml_collections.FrozenConfigDict(release.face_config)), release.face_params, SIZE, batch=3
    )
    latents = renderer._encode(release.face_params, given["pictures"][1:])
    np.testing.assert_allclose(made["pose"][1], latents.pose[0], atol=1e-5)
    np.testing.assert_allclose(made["frames"], renderer.decode(latents, given["vectors"]), atol=1e-4)
    assert made["frames"].std() > 0.001
    assert made["motion"].shape == (2, config.window, config.motion_dim)
    assert np.abs(made["motion"][0] - made["motion"][1]).max() > 1e-3
    generator = MotionGenerator(release.motion_config, release.motion_params, release.motion_stats)
    np.testing.assert_allclose(
        made["vectors"],
        np.clip(made["motion"][0] * generator.std + generator.mean, generator.scale.low, generator.scale.high),
        atol=1e-6,
    )
    np.testing.assert_allclose(made["motion"][1], _window(generator, given, 1), atol=1e-4)


def _window(generator, given, row):
    """The same window by the generator's own function."""
    from vasa_jax.inference.motion import speak_window
    from vasa_jax.models.motion_transformer import MotionConditions

    c = generator.config
    conditions = MotionConditions(
        audio=np.zeros((1, 0, 0), np.float32),
        audio_mask=np.ones((1, c.frames), bool),
        previous=np.zeros((1, c.context, c.motion_dim), np.float32),
        valid=np.ones((1, c.frames), bool),
        told={one.name: np.zeros((1, *one.shape), np.float32) for one in c.told},
    )
    key = jax.random.key(3)
    drawn = jax.random.normal(jax.random.split(key)[0], (1, c.window, c.motion_dim))
    scales = {"audio": 0.5, "gaze": 1.0}
    spoken = speak_window(
        generator.params,
        given["sound"][row],
        np.float32(-1e9),
        conditions,
        StartingNoise(given["noise"][row] / drawn[0]),  # the temperature that makes of the noise drawn the noise given
        key,
        scales,
        {"previous": np.ones(1, bool)},
        generator.speech,
        config=c,
        steps=3,
    )
    return spoken[0]


def test_a_pretrained_ear_is_refused(release, tmp_path):
    import dataclasses

    deaf = dataclasses.replace(release, motion_config=release.motion_config | {"speech": "wav2vec2"})
    with pytest.raises(UsageError, match="wav2vec2"):
        stablehlo.write(deaf, tmp_path / "out")
    assert not (tmp_path / "out").exists()
