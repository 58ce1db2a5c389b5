"""Stage 1 as a value: how the face latent model starts, what it is trained on, how it is watched.

One step per item: self-reenactment of a driver frame from a source frame of the same clip, and, on
every n-th item, the images that need more decodes: for l_consist, l_cross_id and the contrast of codes. The losses
themselves are in `face_losses`.
"""

import jax
import jax.numpy as jnp
import ml_collections
from jaxtyping import Array

from vasa_jax.errors import UsageError
from vasa_jax.losses.contrastive import cosine
from vasa_jax.losses.reconstruction import masked_l1, region_boxes, region_mask
from vasa_jax.models.discriminator import Discriminator
from vasa_jax.models.face_latent import FaceLatentModel
from vasa_jax.pretrained.networks import open_networks
from vasa_jax.training import stills
from vasa_jax.training.augment import StoredFrames, View, augmented_view, person_parameters, plain_view
from vasa_jax.training.face_losses import POSITIVES, FaceLosses, ForwardOutputs, Transferred, join
from vasa_jax.training.task import Metrics, Task, example_keys

_TURNING, _TURN = 24, 0.4
"""Frames of the sample video, and how far the head turns in it (radians)."""


def make_face_task(config: ml_collections.ConfigDict) -> Task:
    """The face task of a run's config (fields `model`, `loss`, `augment`, `discriminator`)."""
    stage = FaceStage(config)
    losses = {"model": stage.model_loss}
    if config.discriminator.enabled:
        losses["discriminator"] = stage.discriminator_loss
    networks = {"losses": open_networks(dict(config.get("features", {})), config.model.get("dtype", "float32"))}
    return Task("face", stage.init, losses, evaluate=stage.evaluate, images=stage.images, networks=networks)


def _part(view: View, number: int, parts: int) -> View:
    return jax.tree.map(lambda x: x[number * x.shape[0] // parts : (number + 1) * x.shape[0] // parts], view)


class FaceStage:
    """Holds the modules and config; every method is a pure function of its arguments."""

    def __init__(self, config: ml_collections.ConfigDict):
        self.config = config
        self.model = FaceLatentModel(ml_collections.FrozenConfigDict(config.model))
        discriminator = dict(config.discriminator)
        self.use_discriminator = discriminator.pop("enabled")
        self.discriminator = Discriminator(**discriminator)
        self.size, self.face_size = config.model.size, config.model.face_size
        self.losses = FaceLosses(config, self.model, self.discriminator if self.use_discriminator else None)
        if self.losses.contrast["pairs"] not in POSITIVES:
            raise UsageError(f"config.contrast.pairs is {self.losses.contrast['pairs']!r}; use 'cross' or 'all'")

    def init(self, rng: Array, batch: dict[str, Array]) -> dict[str, dict]:
        """Parameters of each player."""
        image = jnp.zeros((1, self.size, self.size, 3))
        keys = jax.random.split(rng)
        params = {"model": self.model.init(keys[0], image, image)["params"]}
        if self.use_discriminator:
            params["discriminator"] = self.discriminator.init(keys[1], image)["params"]
        return params

    def _apply(self, params: dict, *args, method: str):
        return self.model.apply({"params": params["model"]}, *args, method=method)

    def views(self, batch: dict[str, Array], rng: Array) -> tuple[View, View, View]:
        """Source and driver under one change of person, a driver of another clip under its own."""
        augment = self.config.augment
        keys = example_keys(rng, batch["index"])
        fold = lambda n: jax.vmap(lambda k: jax.random.fold_in(k, n))(keys)  # noqa: E731
        person, stranger = (jax.vmap(lambda k: person_parameters(k, augment))(fold(n)) for n in (0, 1))
        people = jax.tree.map(lambda x, y: jnp.concatenate([x, x, y]), person, stranger)
        names = ("source", "driver", "other")
        stored = StoredFrames.gather(batch, names)
        view = augmented_view(
            stored, people, jnp.concatenate([fold(2), fold(3), fold(4)]), self.size, self.face_size, augment
        )
        source, driver, cross_driver = (_part(view, n, len(names)) for n in range(len(names)))
        if "stills" in self.config:
            source = stills.hide(source, cross_driver, stills.is_still(batch), fold(6), self.config.stills)
        return source, driver, cross_driver

    # ---- losses -------------------------------------------------------------------------------------

    def model_loss(
        self, params: dict, batch: dict, rng: Array, step: Array, carry: dict
    ) -> tuple[Array, tuple[Metrics, dict]]:
        """Everything the encoders, warps and generator are trained on."""
        outputs = self.forward(params, self.views(batch, rng), batch, rng)
        total, parts = self.losses(params, outputs, step)
        real, fake = self.losses.shown(outputs)
        return total, (parts | {"loss": total}, {"real": real, "fake": jax.lax.stop_gradient(fake)})

    def forward(self, params: dict, views: tuple[View, View, View], batch: dict, rng: Array) -> ForwardOutputs:
        """Each network runs once over everything that needs it (self-reenactment for the whole batch, the transfer
        images for every n-th): one pass keeps the step small to compile and its convolutions large.
        """
        source, driver, cross_driver = views
        b = source.image.shape[0]
        # Every n-th item also serves the transfer losses; strided, so that shards of a batch pick the same items.
        every = self.config.transfer_every if self.losses.transfers else 0
        transfer_indices = jnp.arange(0, b, every) if every else jnp.zeros(0, jnp.int32)
        few = transfer_indices.shape[0]
        pick = lambda view: jax.tree.map(lambda x: x[transfer_indices], view)  # noqa: E731
        some_source, some_driver, some_cross_driver = pick(source), pick(driver), pick(cross_driver)
        seen = [
            join(*parts) for parts in zip(*((v.face, v.pose) for v in (source, driver, some_cross_driver)), strict=True)
        ]
        codes = self._apply(params, *seen, method="encode_face")
        code_i, code_j, code_k = codes[:b], codes[b : 2 * b], codes[2 * b :]
        poses = self._apply(params, join(source.image, driver.image), method="encode_pose")
        # As sources: all i, and j again for l_consist.
        encoded = join(source.image, some_driver.image), join(source.pose, some_driver.pose), join(code_i, pick(code_j))
        latents, offsets = self._apply(params, *encoded, method="encode_with_offsets")
        stranger = jax.lax.stop_gradient(code_k)
        images = [(jnp.arange(b), driver.pose, code_j)]  # which of the sources, in which pose, with which code
        if few:
            images += [
                (b + jnp.arange(few), some_source.pose, pick(code_j)),
                (transfer_indices, some_source.pose, pick(code_j)),
                (transfer_indices, some_cross_driver.pose, stranger),
            ]
        turned_pose = None
        if few and self.losses.wants("contrast") and POSITIVES[self.losses.contrast["pairs"]] > 1:
            turned_pose = self._turned(some_source, rng, jnp.asarray(batch["index"])[transfer_indices])
            images.append((transfer_indices, turned_pose, stranger))
        used, pose, code = (join(*parts) for parts in zip(*images, strict=True))
        out = self._apply(params, jax.tree.map(lambda x: x[used], latents), pose, code, method="render")
        generated = jax.tree.map(lambda x: x[:b], out)
        more = [out["image"][b + n * few : b + (n + 1) * few] for n in range(len(images) - 1)]
        turned = more[3] if more[3:] else None
        transferred = Transferred(more[0], more[1], more[2], turned, turned_pose) if few else None
        codes = code_i, code_j, code_k
        return ForwardOutputs(
            source, driver, cross_driver, transfer_indices, codes, poses, latents, offsets, generated, transferred
        )

    def _turned(self, view: View, rng: Array, index: Array) -> Array:
        """The view's poses with random rotations, deviation `contrast.turn` (radians about x, y, z)."""
        turn = jnp.asarray(self.config.get("contrast", {}).get("turn", (0.15, 0.3, 0.1)))
        keys = jax.vmap(lambda k: jax.random.fold_in(k, 5))(example_keys(rng, index))
        draw = jnp.clip(jax.vmap(lambda k: jax.random.normal(k, (3,)))(keys), -2.0, 2.0)
        return jnp.concatenate([turn[None] * draw, view.pose[:, 3:]], -1)

    def discriminator_loss(
        self, params: dict, batch: dict, rng: Array, step: Array, carry: dict
    ) -> tuple[Array, tuple[Metrics, dict]]:
        """What the discriminator learns from the images of this very step."""
        loss, parts = self.losses.discriminator_loss(params, carry["real"], carry["fake"], step)
        return loss, (parts, carry)

    # ---- watching -----------------------------------------------------------------------------------

    def _reenact(self, params: dict, batch: dict, turns: int = 0) -> tuple[View, View, dict]:
        """Held-out frames by the model's own pose and code, as at inference.

        With `turns`, what is rendered ends with so many frames of the first source, its head turning once to and fro.
        """
        source, driver = (
            plain_view(StoredFrames.gather(batch, (name,)), self.size, self.face_size) for name in ("source", "driver")
        )
        latents = self._apply(params, source.image, method="encode")
        pose, code = self._apply(params, driver.image, method="encode_motion")
        yaw = _TURN * jnp.sin(2 * jnp.pi * jnp.arange(turns, dtype=jnp.float32) / max(turns, 1))
        turned = jnp.tile(latents.pose[:1], (turns, 1)).at[:, 1].add(yaw)
        used = jnp.concatenate([jnp.arange(len(pose)), jnp.zeros(turns, jnp.int32)])
        shown = jax.tree.map(lambda x: x[used], latents)
        codes = join(code, jnp.tile(latents.dynamics[:1], (turns, 1)))
        out = self._apply(params, shown, join(pose, turned), codes, method="render")
        return source, driver, out | {"pose": pose, "code": code}

    def evaluate(self, params: dict, batch: dict, rng: Array) -> Metrics:
        """Errors inside mouth and eye boxes beside those of repeating the source, pose and label errors."""
        source, driver, out = self._reenact(params, batch)
        mask = region_mask(region_boxes(driver.landmarks), (self.size, self.size))
        mouth, eyes = mask[..., :1], mask[..., 1:].sum(-1, keepdims=True)
        metrics = {"l1": jnp.abs(out["image"] - driver.image).mean()}
        for name, region in (("mouth", mouth), ("eyes", eyes)):
            metrics[f"l1_{name}"] = masked_l1(out["image"], driver.image, region).mean()
            metrics[f"copy_{name}"] = masked_l1(source.image, driver.image, region).mean()
        metrics["pose_degrees"] = jnp.rad2deg(jnp.abs(out["pose"][:, :3] - driver.pose[:, :3])).mean()
        metrics["pose_place"] = jnp.abs(out["pose"][:, 3:5] - driver.pose[:, 3:5]).mean()
        read = self._apply(params, out["code"], method="read_labels")
        for name, value in read.items():
            metrics[f"label_{name}"] = jnp.abs(value - driver.labels[name]).mean()
        opening = [labels["mouth"][None, :, 0] - labels["mouth"][:, 0].mean() for labels in (read, driver.labels)]
        metrics["mouth_cosine"] = cosine(*opening).mean()
        return metrics

    def images(self, params: dict, batch: dict, rng: Array) -> dict[str, Array]:
        """Rows of source, driver, output and what it is blended from; a video of the first source, its head turning."""
        batch = {k: v[:8] for k, v in batch.items()}
        source, driver, out = self._reenact(params, batch, turns=_TURNING)
        count = len(source.image)
        turning = out["image"][count:]
        out = jax.tree.map(lambda x: x[:count], out)
        columns = [source.image, driver.image, out["image"]]
        if "synthesised" in out:
            columns += [
                out["synthesised"],
                out["warped_source"],
                jnp.broadcast_to(out["blend_mask"], out["image"].shape),
            ]
        rows = jnp.concatenate(columns, 2)
        return {"source_driver_output": rows.reshape(-1, *rows.shape[2:]), "turning": turning}
