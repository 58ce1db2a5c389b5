"""The pose encoder alone: head pose from exact labels of procedural heads and tracked labels of real clips.

VASA-1 takes its pose encoder from MegaPortraits, where it is trained before everything else and then stands still.
Parameters lie where the face model has them, so that `init_from` and `frozen = "pose_encoder"`
put a trained one into a face run.
"""

import jax
import jax.numpy as jnp
import ml_collections
from jaxtyping import Array, Float

from vasa_jax.losses.geometry import pose_error
from vasa_jax.models.pose_encoder import PoseEncoder
from vasa_jax.training.augment import StoredFrames, View, augmented_view, person_parameters, plain_view
from vasa_jax.training.task import Task, example_keys

FRAMES = ("source", "driver", "other")
_FACE = 8  # side of the aligned faces that views come with; nobody looks at them here


def make_pose_task(config: ml_collections.ConfigDict) -> Task:
    """The pose task of a run's config (fields `model.size`, `model.pose`, `augment`, `data.mixture`)."""
    stage = _PoseStage(config)
    return Task(name="pose", init=stage.init, losses={"model": stage.loss}, evaluate=stage.evaluate)


class _PoseStage:
    """Holds module and config; every method is a pure function of its arguments."""

    def __init__(self, config: ml_collections.ConfigDict):
        self.config = config
        self.encoder = PoseEncoder(**config.model.pose)
        self.size = config.model.size
        # As the stream gets them, whose `domain` counts them.
        self.names = tuple((config.data.get("eval_mixture", None) or config.data.mixture).to_dict())

    def init(self, rng: Array, batch: dict[str, Array]) -> dict[str, dict]:
        image = jnp.zeros((1, self.size, self.size, 3))
        return {"model": {"pose_encoder": self.encoder.init(rng, image)["params"]}}

    def encode(self, params: dict, image: Float[Array, "b h w 3"]) -> Float[Array, "b 7"]:
        """z_pose of images."""
        return self.encoder.apply({"params": params["model"]["pose_encoder"]}, image)

    def _views(self, batch: dict[str, Array], rng: Array) -> View:
        """All frames of the batch, each under a change of person and a place of its own."""
        keys = example_keys(rng, batch["index"])
        keys = jnp.concatenate([jax.vmap(lambda k, n=n: jax.random.fold_in(k, n))(keys) for n in range(len(FRAMES))])
        people = jax.vmap(lambda k: person_parameters(jax.random.fold_in(k, 0), self.config.augment))(keys)
        stored = StoredFrames.gather(batch, FRAMES)
        return augmented_view(stored, people, keys, self.size, _FACE, self.config.augment)

    def loss(self, params: dict, batch: dict, rng: Array, step: Array, carry: dict) -> tuple[Array, tuple[dict, dict]]:
        """Error of every part of the pose, in units of how much that part varies."""
        view = self._views(batch, rng)
        found = self.encode(params, view.image)
        loss = pose_error(found, view.pose).mean()
        degrees = jnp.rad2deg(jnp.abs(found - view.pose)[:, :3]).mean()
        return loss, ({"loss": loss, "pose": loss, "pose_degrees": degrees}, carry)

    def evaluate(self, params: dict, batch: dict, rng: Array) -> dict[str, Array]:
        """Errors on held-out frames as they are, by data set, beside those of guessing that data set's mean pose.

        Per data set NAME: degrees_NAME (mean over the three angles), yaw_NAME, place_NAME (x and y, of the crop's half
        width), log_scale_NAME, and guess_degrees_NAME.
        """
        view = plain_view(StoredFrames.gather(batch, FRAMES), self.size, _FACE)
        found = self.encode(params, view.image)
        angles = jnp.rad2deg(jnp.abs(found - view.pose)[:, :3])
        place = jnp.abs(found - view.pose)[:, 3:5].mean(-1)
        scale = jnp.abs(jnp.log(found[:, 6] / view.pose[:, 6]))
        metrics = {"degrees": angles.mean()}
        for number, name in enumerate(self.names):
            rows = jnp.tile(batch["domain"] == number, len(FRAMES)).astype(jnp.float32)
            mean = lambda x, rows=rows: (x * rows).sum() / jnp.maximum(rows.sum(), 1.0)  # noqa: E731
            centre = jax.vmap(mean, 1)(view.pose[:, :3])
            guess = jnp.rad2deg(jnp.abs(view.pose[:, :3] - centre[None])).mean(-1)
            values = {"degrees": angles.mean(-1), "yaw": angles[:, 1], "place": place, "log_scale": scale}
            metrics |= {f"{key}_{name}": mean(value) for key, value in (values | {"guess_degrees": guess}).items()}
        return metrics
