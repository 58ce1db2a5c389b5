import json

import jax
import ml_collections
import numpy as np
import pytest

from experiments.configs.face import small_128
from experiments.evaluation import models
from vasa_jax import weights
from vasa_jax.errors import InputError, UsageError
from vasa_jax.models.face_latent import FaceLatentModel
from vasa_jax.models.motion_transformer import MotionConfig, init_params
from vasa_jax.training import trained


def tiny_face() -> dict:
    config = small_128.get_model()
    config.size = 64
    return json.loads(config.to_json())


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """A release of a random motion model and a face model of which only the label head matters."""
    folder = tmp_path_factory.mktemp("release")
    rng = np.random.default_rng(0)
    d = small_128.get_model().dynamics.features
    head = {"kernel": rng.normal(size=(d, 6)).astype(np.float32), "bias": np.zeros(6, np.float32)}
    motion = {"motion_dim": 7 + d, "width": 16, "depth": 1, "heads": 2}
    weights.save_release(
        folder,
        face_config=tiny_face(),
        face_params={"label_head": head},
        motion_config=motion,
        motion_params=jax.device_get(
            jax.jit(lambda key: init_params(MotionConfig.create(motion), key))(jax.random.key(0))
        ),
        motion_stats={"mean": np.zeros(7 + d), "std": np.ones(7 + d)},
    )
    return folder


def test_labels_are_those_of_the_model_whatever_the_length(release):
    part = trained.open_trained(str(release), "face")
    face = models.FaceModel(part)
    assert face.size == 64 and face.source["release"] == str(release)
    motion = np.random.default_rng(1).normal(size=(70, 39)).astype(np.float32)
    found = face.labels(motion)
    model = FaceLatentModel(ml_collections.FrozenConfigDict(part.config))
    wanted = model.apply({"params": part.params}, motion[:, 7:], method="read_labels")
    for name in ("mouth", "lids", "eyes"):
        # The same product in another batch shape: rounding of float32 sums only.
        assert np.allclose(found[name], wanted[name], atol=1e-5) and found[name].shape == (70, 2)


def test_the_motion_model_of_a_release_speaks(release):
    generator = models.load_motion(str(release))
    made = np.concatenate(list(generator.windows(iter([np.zeros(6400, np.float32)]), 10, steps=1, guidance={})))
    assert made.shape == (10, 39) and np.isfinite(made).all()


def test_a_workdir(tmp_path, monkeypatch):
    from vasa_jax.training import checkpoint

    (tmp_path / "run_manifest.json").write_text(
        json.dumps({"task": "face", "players": ["model"], "config": {"model": tiny_face()}, "commit": "abc"})
    )
    answers = [OSError("deleted while it was read"), (70, {"model": {"label_head": {}}})]

    def read(workdir):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(checkpoint, "read_ema", read)
    monkeypatch.setattr(trained.time, "sleep", lambda seconds: None)
    part = trained.open_trained(str(tmp_path), "face")
    assert part.source["step"] == 70 and part.config["size"] == 64
    with pytest.raises(UsageError, match="task 'face'"):
        trained.open_trained(str(tmp_path), "motion")


def test_what_is_no_model(tmp_path, release):
    with pytest.raises(InputError, match="absent"):
        trained.open_trained(str(tmp_path / "absent"), "face")
    with pytest.raises(InputError, match="run_manifest"):
        trained.open_trained(str(tmp_path), "face")
    only_face = tmp_path / "only_face"
    weights.save_release(only_face, face_config=tiny_face(), face_params={"label_head": {"bias": np.zeros(6)}})
    with pytest.raises(InputError, match="no motion model"):
        trained.open_trained(str(only_face), "motion")
