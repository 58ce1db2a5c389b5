"""The dynamics encoder alone, on twins: one face made by several people in several poses must give one code.

What tells of person and pose in a code differs between two twins, what tells of the face does not. So the encoder of an
image learns to give the code that a trained model (the teacher) gives its twin: the best guess of that is the mean
over people and poses, which is free of both (as one learns to denoise from pairs of noisy images: Lehtinen et al.
2018). Warps and generator stand still and go on understanding the codes, which stay where they were. Of real faces,
which have no twins, the teacher's own codes are kept.
"""

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from jaxtyping import Array, Float

from vasa_jax import weights
from vasa_jax.models.face_latent import FaceLatentModel
from vasa_jax.training.augment import StoredFrames, View, augmented_view, person_parameters, plain_view
from vasa_jax.training.face_losses import label_error
from vasa_jax.training.task import NETWORKS, Metrics, Task, example_keys

FRAMES = ("source", "driver", "other")
TWINS = "procedural_twins"
_FLOOR = 0.01
"""Of the mean variance of a code's values: directions that vary less count as little."""


def make_dynamics_task(config: ml_collections.ConfigDict) -> Task:
    """The task of a run's config (`model`, `teacher`, `loss`, `augment`, `data.mixture` with "procedural_twins").

    It trains a face model of which all but the dynamics encoder is frozen, so what it saves is a face model.
    """
    stage = _DynamicsStage(config)
    networks = {"teacher": stage.teacher_params}
    return Task("face", stage.init, {"model": stage.loss}, evaluate=stage.evaluate, networks=networks)


class _DynamicsStage:
    """Holds module and config; every method is a pure function of its arguments."""

    def __init__(self, config: ml_collections.ConfigDict):
        self.config = config
        self.model = FaceLatentModel(ml_collections.FrozenConfigDict(config.model))
        release = weights.load_release(config.teacher)
        self.teacher = FaceLatentModel(ml_collections.FrozenConfigDict(release.face_config))
        self.teacher_params = jax.tree.map(np.asarray, release.face_params)
        self.size, self.face_size = config.model.size, config.model.face_size
        self.number_of_twins = list((config.data.get("eval_mixture", None) or config.data.mixture).to_dict()).index(
            TWINS
        )

    def init(self, rng: Array, batch: dict[str, Array]) -> dict[str, dict]:
        image = jnp.zeros((1, self.size, self.size, 3))
        return {"model": self.model.init(rng, image, image)["params"]}

    def loss(
        self, params: dict, batch: dict, rng: Array, step: Array, carry: dict
    ) -> tuple[Array, tuple[Metrics, dict]]:
        """Distance to the teacher's code of the twin, or of the very image, and the labels' error."""
        keys = example_keys(rng, batch["index"])
        keys = jnp.concatenate([jax.vmap(lambda k, n=n: jax.random.fold_in(k, n))(keys) for n in range(len(FRAMES))])
        people = jax.vmap(lambda k: person_parameters(jax.random.fold_in(k, 0), self.config.augment))(keys)
        flip = people["flip"].reshape(len(FRAMES), -1)
        people["flip"] = flip.at[1].set(flip[0]).reshape(-1)  # a mirrored face is another face
        stored = StoredFrames.gather(batch, FRAMES)
        view = augmented_view(stored, people, keys, self.size, self.face_size, self.config.augment)
        codes, wanted, twins = self._codes(params, view, batch)
        error = jnp.square((codes - wanted) @ _whitening(wanted)).mean(-1)
        # The third frame is another clip's: its twin is not here.
        third = jnp.arange(len(error)) >= 2 * batch["index"].shape[0]
        metrics = {
            "twin": (error * (twins & ~third).astype(error.dtype)).mean(),
            "keep": (error * (~twins).astype(error.dtype)).mean(),
            "labels": label_error(self.model, params["model"], codes, view.labels),
        }
        total = sum(self.config.loss[name] * value for name, value in metrics.items())
        return total, (metrics | {"loss": total}, carry)

    def _codes(self, params: dict, view: View, batch: dict) -> tuple[Array, Array, Array]:
        """(codes, what they are to be, which are of twins); source and driver are each other's twins."""
        codes = self.model.apply({"params": params["model"]}, view.face, view.pose, method="encode_face")
        own = self.teacher.apply({"params": params[NETWORKS]["teacher"]}, view.face, view.pose, method="encode_face")
        source, driver, other = jnp.split(own, len(FRAMES))
        twins = jnp.tile(batch["domain"] == self.number_of_twins, len(FRAMES))
        wanted = jnp.where(twins[:, None], jnp.concatenate([driver, source, other]), own)
        return codes, jax.lax.stop_gradient(wanted), twins

    def evaluate(self, params: dict, batch: dict, rng: Array) -> Metrics:
        """Held-out frames as they are. `apart`: squared distance of twins' codes as a share of that of any two faces,
        where the teacher's codes are white; `apart_teacher`: the teacher's own. `label_NAME`: error of the label read
        from it.
        """
        view = plain_view(StoredFrames.gather(batch, FRAMES), self.size, self.face_size)
        codes, wanted, twins = self._codes(params, view, batch)
        rows = twins[: len(twins) // 3].astype(jnp.float32)
        first, second, third = jnp.split(wanted, len(FRAMES))
        own = jnp.where(twins[:, None], jnp.concatenate([second, first, third]), wanted)
        metrics = {}
        for name, found in (("apart", codes), ("apart_teacher", own)):
            white = found @ _whitening(wanted)
            source, driver, other = jnp.split(white, len(FRAMES))
            near, far = (jnp.square(source - x).mean(-1) for x in (driver, other))
            metrics[name] = (near * rows).sum() / jnp.maximum((far * rows).sum(), 1e-9)
        read = self.model.apply({"params": params["model"]}, codes, method="read_labels")
        return metrics | {f"label_{name}": jnp.abs(read[name] - view.labels[name]).mean() for name in read}


def _whitening(codes: Float[Array, "n d"]) -> Float[Array, "d d"]:
    """Linear map under which a batch's codes have about the same variance in all directions that vary."""
    centred = codes - codes.mean(0, keepdims=True)
    covariance = centred.T @ centred / codes.shape[0]
    values, vectors = jnp.linalg.eigh(covariance)
    scale = jax.lax.rsqrt(jnp.maximum(values, 0.0) + _FLOOR * values.mean() + 1e-9)
    return jax.lax.stop_gradient(vectors * scale[None])
