"""Stage 1 as a value: how the face latent model starts, what it is trained on, how it is watched.

One step per item (spec 2.3): self-reenactment of a driver frame from a source frame of the same clip, and, on
every n-th item, the losses that need more decodes: l_consist, l_cross_id and the contrast of codes.
"""

import jax
import jax.numpy as jnp
import ml_collections
from jaxtyping import Array

from vasa_jax import landmarks
from vasa_jax.losses import adversarial, geometry, transfer
from vasa_jax.losses.contrastive import contrast, cosine
from vasa_jax.losses.perceptual import feature_loss
from vasa_jax.losses.reconstruction import masked_l1, pyramid_l1, region_boxes, region_mask, region_weight
from vasa_jax.models.discriminator import Discriminator
from vasa_jax.models.dynamics_encoder import aligned_crop
from vasa_jax.models.face_latent import FaceLatentModel
from vasa_jax.models.identity_encoder import embedding
from vasa_jax.ops.rotations import inverse_transform
from vasa_jax.ops.warp import grid_sample
from vasa_jax.training.augment import StoredFrames, View, augmented_view, person_parameters, plain_view
from vasa_jax.training.task import Task, example_keys

Metrics = dict[str, Array]


def make_face_task(config: ml_collections.ConfigDict) -> Task:
    """The face task of a run's config (fields `model`, `loss`, `augment`, `discriminator`)."""
    stage = _FaceStage(config)
    losses = {"model": stage.model_loss}
    if config.discriminator.enabled:
        losses["discriminator"] = stage.discriminator_loss
    return Task(name="face", init=stage.init, losses=losses, evaluate=stage.evaluate, pictures=stage.pictures)


def join(*arrays: Array) -> Array:
    """Batches one after another."""
    return jnp.concatenate(arrays)


def _part(view: View, number: int, parts: int) -> View:
    return jax.tree.map(lambda x: x[number * x.shape[0] // parts : (number + 1) * x.shape[0] // parts], view)


class _FaceStage:
    """Holds the modules and config; every method is a pure function of its arguments."""

    def __init__(self, config: ml_collections.ConfigDict):
        self.config = config
        self.model = FaceLatentModel(ml_collections.FrozenConfigDict(config.model))
        critic = dict(config.discriminator)
        self.use_critic = critic.pop("enabled")
        self.critic = Discriminator(**critic)
        self.size, self.face_size = config.model.size, config.model.face_size
        self.template = jnp.asarray(landmarks.template())
        self.point_weight = jnp.asarray(geometry.point_weights())
        flow_weight = geometry.point_weights(oval=0.0)
        self.flow_weight = jnp.asarray(flow_weight)

    def init(self, rng: Array, batch: dict[str, Array]) -> dict[str, dict]:
        """Parameters of each player."""
        image = jnp.zeros((1, self.size, self.size, 3))
        keys = jax.random.split(rng)
        params = {"model": self.model.init(keys[0], image, image)["params"]}
        if self.use_critic:
            params["discriminator"] = self.critic.init(keys[1], image)["params"]
        return params

    def _apply(self, params: dict, *args, method: str):
        return self.model.apply({"params": params["model"]}, *args, method=method)

    def _views(self, batch: dict[str, Array], rng: Array) -> tuple[View, View, View]:
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
        return tuple(_part(view, n, len(names)) for n in range(len(names)))

    # ---- losses -------------------------------------------------------------------------------------

    def model_loss(
        self, params: dict, batch: dict, rng: Array, step: Array, carry: dict
    ) -> tuple[Array, tuple[Metrics, dict]]:
        """Everything the encoders, warps and generator are trained on.

        Each network runs once over everything that needs it (self-reenactment for the whole batch, the transfer
        pictures for every n-th): one pass keeps the step small to compile and its convolutions large.
        """
        source, driver, other = self._views(batch, rng)
        b = source.image.shape[0]
        # Every n-th item also serves the transfer losses; strided, so that shards of a batch pick the same items.
        chosen = jnp.arange(0, b, self.config.transfer_every)
        few = chosen.shape[0]
        pick = lambda view: jax.tree.map(lambda x: x[chosen], view)  # noqa: E731
        some_source, some_driver, some_other = pick(source), pick(driver), pick(other)
        codes = self._apply(params, join(source.face, driver.face, some_other.face), method="encode_face")
        code_i, code_j, code_k = codes[:b], codes[b : 2 * b], codes[2 * b :]
        poses = self._apply(params, join(source.image, driver.image), method="encode_pose")
        # As sources: all i, and j again for l_consist.
        encoded = join(source.image, some_driver.image), join(source.pose, some_driver.pose), join(code_i, pick(code_j))
        latents, offsets = self._apply(params, *encoded, method="encode_with_offsets")
        # Pictures: i -> j; j -> (pose i, code j); i -> (pose i, code j); i -> stranger k.
        used = jnp.concatenate([jnp.arange(b), b + jnp.arange(few), chosen, chosen])
        pose = join(driver.pose, some_source.pose, some_source.pose, some_other.pose)
        code = join(code_j, pick(code_j), pick(code_j), jax.lax.stop_gradient(code_k))
        out = self._apply(params, jax.tree.map(lambda x: x[used], latents), pose, code, method="render")
        drawn = jax.tree.map(lambda x: x[:b], out)
        parts = self._label_losses(params, join(code_i, code_j), poses, source, driver)
        parts |= self._geometry_losses(drawn, offsets[:b], source, driver)
        parts |= self._picture_losses(drawn, driver)
        transferred = [out["image"][b + n * few : b + (n + 1) * few] for n in range(3)]
        identities = latents.identity[chosen], latents.identity[b:]
        parts |= self._transfer_losses(params, transferred, identities, pick(code_i), code_k, some_source, some_other)
        if self.use_critic:
            parts |= self._adversarial_losses(params, drawn["image"], driver.image, step)
        total = sum(self.config.loss[name] * value for name, value in parts.items())
        carry = {"real": driver.image, "fake": jax.lax.stop_gradient(drawn["image"])}
        return total, (parts | {"loss": total}, carry)

    def _picture_losses(self, out: dict, driver: View) -> Metrics:
        focus = self._focus(driver)
        parts = {
            "pixel": pyramid_l1(out["image"], driver.image, focus).mean(),
            "feature": feature_loss(out["image"], driver.image, focus).mean(),
        }
        if "painted" in out:
            parts["painted"] = masked_l1(out["painted"], driver.image, focus).mean()
        return parts

    def _focus(self, view: View) -> Array:
        """Weight of each pixel; the eyes' grows with their closure, which is rare and has to be painted."""
        focus = self.config.loss_focus
        mask = region_mask(region_boxes(view.landmarks), (self.size, self.size))
        closure = jnp.clip(view.labels["lids"].mean(-1), 0.0, 1.0)[:, None, None, None]
        eyes = mask[..., 1:] * (1.0 + focus.closed * closure)
        return region_weight(jnp.concatenate([mask[..., :1], eyes], -1), focus.mouth, focus.eyes)

    def _label_losses(self, params: dict, codes: Array, poses: Array, source: View, driver: View) -> Metrics:
        """The code must tell mouth, lids and eyes by a linear reading; the pose encoder must tell the pose."""
        both = jax.tree.map(join, source, driver)
        read = self._apply(params, codes, method="read_labels")
        spread = {"mouth": jnp.asarray([0.03, 0.2]), "lids": 0.3, "eyes": 0.15}
        errors = [jnp.abs((read[name] - both.labels[name]) / spread[name]).mean() for name in spread]
        return {"labels": sum(errors), "pose": geometry.pose_error(poses, both.pose).mean()}

    def _geometry_losses(self, out: dict, offsets: Array, source: View, driver: View) -> Metrics:
        """Known points: source -> canonical, driver -> canonical, and driver -> source through both warps."""
        b = offsets.shape[0]
        face = jnp.broadcast_to(self.template, (b, *self.template.shape))
        sample = lambda field, points: self.model.apply({}, field, points, method="sample_offsets")  # noqa: E731
        seen = inverse_transform(source.pose, source.landmarks)
        into = geometry.point_error(face + sample(offsets, face), seen, self.point_weight)
        place = inverse_transform(driver.pose, driver.landmarks)
        out_of = geometry.point_error(place + sample(out["offsets"], place), face, self.point_weight)
        smooth = sum(
            jnp.square(jnp.diff(field, axis=axis)).mean() for field in (offsets, out["offsets"]) for axis in (1, 2, 3)
        )
        parts = {"warp_in": into.mean(), "warp_out": out_of.mean(), "smooth": smooth}
        if "coords" in out:
            parts["flow"] = self._flow_loss(out["coords"], source, driver)
        return parts

    def _flow_loss(self, coords: Array, source: View, driver: View) -> Array:
        read = grid_sample(coords, driver.landmarks[..., :2], "border")
        error = geometry.point_error(read, source.landmarks[..., :2], self.flow_weight)
        # Points of a face turned far away are hidden; their picture coordinates say little.
        facing = (jnp.abs(driver.pose[:, 1]) < 0.5) & (jnp.abs(source.pose[:, 1]) < 0.5)
        return (error * facing).mean()

    def _transfer_losses(
        self,
        params: dict,
        drawn: list[Array],
        identities: tuple[Array, Array],
        code_i: Array,
        code_k: Array,
        source: View,
        other: View,
    ) -> Metrics:
        """l_consist, l_cross_id and the contrasts, on pictures nobody has seen."""
        from_j, from_i, crossed = drawn
        few = crossed.shape[0]
        parts = {"consist": transfer.consistency(from_j, from_i, self._focus(source)).mean()}
        maps = self._apply(params, join(crossed, other.image), method="encode_identity")
        source_id, same_id = (embedding(identity) for identity in identities)
        crossed_id, stranger_id = embedding(maps[:few]), embedding(maps[few:])
        parts["cross_id"] = transfer.cross_identity(source_id, crossed_id).mean()
        # The person is what two frames of a clip share and a stranger does not.
        parts["identity"] = contrast([(source_id, same_id)], [(same_id, stranger_id)]).mean()
        again = self._apply(params, aligned_crop(crossed, other.pose, self.face_size), method="encode_face")
        parts["contrast"] = contrast([(again, code_k)], [(again, code_i)]).mean()
        return parts

    def _adversarial_losses(self, params: dict, fake: Array, real: Array, step: Array) -> Metrics:
        frozen = jax.lax.stop_gradient(params["discriminator"])
        logits, inner = self.critic.apply({"params": frozen}, fake)
        _, wanted = self.critic.apply({"params": frozen}, real)
        on = (step >= self.config.loss_adversarial_start).astype(jnp.float32)
        return {
            "adversarial": on * adversarial.generator_hinge(logits),
            "matching": on * adversarial.feature_matching(wanted, inner),
        }

    def discriminator_loss(
        self, params: dict, batch: dict, rng: Array, step: Array, carry: dict
    ) -> tuple[Array, tuple[Metrics, dict]]:
        """Hinge on the pictures of this very step."""
        b = carry["real"].shape[0]
        logits, _ = self.critic.apply(
            {"params": params["discriminator"]}, jnp.concatenate([carry["real"], carry["fake"]])
        )
        loss = adversarial.discriminator_hinge([x[:b] for x in logits], [x[b:] for x in logits])
        return loss, ({"discriminator": loss}, carry)

    # ---- watching -----------------------------------------------------------------------------------

    def _reenact(self, params: dict, batch: dict) -> tuple[View, View, dict]:
        """Held-out frames by the model's own pose and code, as at inference."""
        source, driver = (
            plain_view(StoredFrames.gather(batch, (name,)), self.size, self.face_size) for name in ("source", "driver")
        )
        latents = self._apply(params, source.image, method="encode")
        pose, code = self._apply(params, driver.image, method="encode_motion")
        out = self._apply(params, latents, pose, code, method="render")
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

    def pictures(self, params: dict, batch: dict, rng: Array) -> dict[str, Array]:
        """Rows of source, driver, output and what it is blended from."""
        batch = {k: v[:8] for k, v in batch.items()}
        source, driver, out = self._reenact(params, batch)
        columns = [source.image, driver.image, out["image"]]
        if "painted" in out:
            columns += [out["painted"], out["moved"], jnp.broadcast_to(out["keep"], out["image"].shape)]
        rows = jnp.concatenate(columns, 2)
        return {"source_driver_output": rows.reshape(-1, *rows.shape[2:])}
