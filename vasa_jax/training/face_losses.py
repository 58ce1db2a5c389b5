"""What the face latent model is trained on, given one pass through it; each loss under the name of its weight.

docs/training.md has the table: symbol, weight, from when, which networks each reaches.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
from jaxtyping import Array, Float

from vasa_jax import landmarks
from vasa_jax.losses import adversarial, geometry, transfer
from vasa_jax.losses.alignment import recognition_crop
from vasa_jax.losses.contrastive import contrast
from vasa_jax.losses.gaze import gaze_loss
from vasa_jax.losses.perceptual import FeatureNetwork, feature_loss
from vasa_jax.losses.reconstruction import masked_l1, pyramid_l1, region_boxes, region_mask, region_weight
from vasa_jax.models.discriminator import Discriminator
from vasa_jax.models.dynamics_encoder import aligned_crop
from vasa_jax.models.face_latent import FaceLatentModel, FaceLatents
from vasa_jax.models.identity_encoder import embedding
from vasa_jax.ops.rotations import inverse_transform
from vasa_jax.ops.warp import grid_sample
from vasa_jax.pretrained.networks import LossNetworks
from vasa_jax.training.augment import View
from vasa_jax.training.task import NETWORKS, Metrics

POSITIVES = {"cross": 1, "all": 3}
"""What `contrast.pairs` may be, and how many pairs are pulled together."""

_STARTS_WITH = {"matching": "adversarial"}


def join(*arrays: Array) -> Array:
    """Batches one after another."""
    return jnp.concatenate(arrays)


def label_error(model: FaceLatentModel, params: dict, codes: Float[Array, "b d"], labels: dict[str, Array]) -> Array:
    """Error of mouth, lids and eyes read from codes, each in units of how much it varies."""
    read = model.apply({"params": params}, codes, method="read_labels")
    spread = {"mouth": jnp.asarray([[0.03, 0.2]]), "lids": 0.3, "eyes": 0.15}
    return sum((jnp.abs((read[name] - labels[name]) / spread[name]).mean() for name in spread), jnp.zeros(()))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Transferred:
    """Pictures nobody has seen, of the items chosen for them: frames i and j of one video, k of another.

    Attributes:
      from_j, from_i: D(V_j, id_j, pose_i, dyn_j) and D(V_i, id_i, pose_i, dyn_j).
      crossed: D(V_i, id_i, pose_k, dyn_k), the code without gradient.
      turned: crossed again in a random pose, `turned_pose`; both None unless all positives are asked for.
    """

    from_j: Float[Array, "f h w 3"]
    from_i: Float[Array, "f h w 3"]
    crossed: Float[Array, "f h w 3"]
    turned: Float[Array, "f h w 3"] | None
    turned_pose: Float[Array, "f 7"] | None


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ForwardOutputs:
    """One pass through the networks: what they saw and what they made. i is the source, j the driver, k the stranger.

    Attributes:
      chosen: which of the b items also serve the transfer losses [f]; none where no such loss is wanted.
      codes: of the sources [b, d], of the drivers [b, d], of the chosen items' strangers [f, d].
      poses: as encoded, sources then drivers [2 b, 7].
      latents, offsets: of the sources, then of the chosen items' drivers [b + f].
      drawn: the model's outputs for i driven by j, of all items.
      transferred: None where no item serves.
    """

    source: View
    driver: View
    cross_driver: View
    transfer_indices: Array
    codes: tuple[Array, Array, Array]
    poses: Array
    latents: FaceLatents
    offsets: Array
    generated: dict[str, Array]
    transferred: Transferred | None

    def pick(self, tree):
        """The chosen items of a batch."""
        return jax.tree.map(lambda x: x[self.transfer_indices], tree)


Losses = dict[str, Callable[[], Array]]
"""Name of a weight -> what computes the loss; only those that have a weight are."""

TRANSFER = ("consist", "cross_id", "identity", "contrast", "canonical")
"""Losses of the transfer pass: on images that no recording shows, or on encodings of frames i, j and k."""


class FaceLosses:
    """The losses of a run's configuration; every method is a pure function of its arguments."""

    def __init__(self, config: ml_collections.ConfigDict, model: FaceLatentModel, discriminator: Discriminator | None):
        self.config, self.model, self.discriminator = config, model, discriminator
        self.size, self.face_size = config.model.size, config.model.face_size
        self.contrast: dict[str, Any] = {"pairs": "cross", "scale": 5.0, "margin": 0.2}
        self.contrast |= dict(config.get("contrast", {}))
        self.template = jnp.asarray(landmarks.template())
        self.point_weight = jnp.asarray(geometry.point_weights())
        self.flow_weight = jnp.asarray(geometry.point_weights(oval=0.0))

    def __call__(self, params: dict, outputs: ForwardOutputs, step: Array) -> tuple[Array, Metrics]:
        """(weighted sum, every loss that has a weight by name). One that has not started yet is reported as 0."""
        networks = params[NETWORKS]["losses"]
        losses = self.labels(params, outputs) | self.geometry(outputs) | self.images(outputs, networks)
        if outputs.transferred is not None:
            losses |= self.transfer(params, outputs, networks)
        if self.discriminator is not None:
            losses |= self.adversarial(params, *self.shown(outputs))
        parts = {name: self.started(name, loss(), step) for name, loss in losses.items() if self.wants(name)}
        return sum(self.config.loss[name] * value for name, value in parts.items()), parts

    @property
    def transfers(self) -> bool:
        """Whether any loss has a weight that looks at images nobody has seen."""
        return any(map(self.wants, TRANSFER))

    def started(self, name: str, value: Array, step: Array) -> Array:
        """0 before config.loss_start[name], rising over config.loss_ramp[name] steps, then the value."""
        value = value.astype(jnp.float32)
        name = _STARTS_WITH.get(name, name)
        start = self.config.get("loss_start", {}).get(name, 0)
        ramp = self.config.get("loss_ramp", {}).get(name, 0)
        if start <= 0 and ramp <= 1:
            return value
        return jnp.clip((step - start + 1) / max(ramp, 1), 0.0, 1.0) * value

    def wants(self, name: str) -> bool:
        """Whether a loss has a weight; what has none is not computed."""
        return self.config.loss.get(name, 0.0) != 0.0

    # ---- where images count -----------------------------------------------------------------------

    def focus(self, view: View) -> Float[Array, "b h w 1"]:
        """Weight of each pixel; the eyes' grows with their closure, which is rare and has to be painted."""
        focus = self.config.loss_focus
        mask = region_mask(region_boxes(view.landmarks), (self.size, self.size))
        closure = jnp.clip(view.labels["lids"].mean(-1), 0.0, 1.0)[:, None, None, None]
        eyes = mask[..., 1:] * (1.0 + focus.closed * closure)
        weight = region_weight(jnp.concatenate([mask[..., :1], eyes], -1), focus.mouth, focus.eyes)
        return weight if view.matte is None else weight * self.foreground(view)

    def foreground(self, view: View) -> Float[Array, "b h w 1"]:
        """1 on the person, `loss_focus.background` (0 by default) behind; 1 everywhere without a matte."""
        if view.matte is None:
            return jnp.ones((*view.image.shape[:-1], 1))
        behind = self.config.loss_focus.get("background", 0.0)
        return behind + (1.0 - behind) * view.matte

    def shown(self, outputs: ForwardOutputs) -> tuple[Array, Array]:
        """(real, generated) images for the discriminator: behind the person both are the real one."""
        real, fake = outputs.driver.image, outputs.generated["image"]
        if outputs.driver.matte is None:
            return real, fake
        inside = self.foreground(outputs.driver)
        return real, inside * fake + (1.0 - inside) * real

    # ---- self-reenactment ---------------------------------------------------------------------------

    def images(self, outputs: ForwardOutputs, networks: LossNetworks) -> Losses:
        """i driven by j must be j: pixels, features of the image, of the aligned face and of the eyes."""
        out, driver = outputs.generated, outputs.driver
        focus, image = self.focus(driver), out["image"]
        seen = (driver.image, driver.landmarks, driver.pose, self.foreground(driver))
        losses = {
            "pixel": lambda: pyramid_l1(image, driver.image, focus).mean(),
            "feature": lambda: feature_loss(image, driver.image, focus, networks.image).mean(),
            "face": lambda: self.face(image, driver, networks.face).mean(),
            "gaze": lambda: gaze_loss(image, *seen, networks.gaze).mean(),
        }
        if "synthesised" in out:
            losses["painted"] = lambda: masked_l1(out["synthesised"], driver.image, focus).mean()
        return losses

    def face(self, image: Array, view: View, network: FeatureNetwork) -> Float[Array, " b"]:
        """Feature loss of the faces, cut out as the dynamics encoder sees them (MegaPortraits: VGGFace)."""
        side = network.side or self.face_size
        outputs, wanted, weight = (aligned_crop(x, view.pose, side) for x in (image, view.image, self.foreground(view)))
        return feature_loss(outputs, wanted, weight, network)

    def labels(self, params: dict, outputs: ForwardOutputs) -> Losses:
        """The code must tell mouth, lids and eyes by a linear reading; the pose encoder must tell the pose."""
        both = jax.tree.map(join, outputs.source, outputs.driver)
        return {
            "labels": lambda: label_error(self.model, params["model"], join(*outputs.codes[:2]), both.labels),
            "pose": lambda: geometry.pose_error(outputs.poses, both.pose).mean(),
        }

    def geometry(self, outputs: ForwardOutputs) -> Losses:
        """Known points: source -> canonical, driver -> canonical, and driver -> source through both warps."""
        source, driver, out = outputs.source, outputs.driver, outputs.generated
        b = source.pose.shape[0]
        offsets = outputs.offsets[:b]
        face = jnp.broadcast_to(self.template, (b, *self.template.shape))
        sample = lambda field, points: self.model.apply({}, field, points, method="sample_offsets")  # noqa: E731
        seen = inverse_transform(source.pose, source.landmarks)
        place = inverse_transform(driver.pose, driver.landmarks)
        error = functools.partial(geometry.point_error, weight=self.point_weight)
        fields = offsets, out["offsets"]
        steps = lambda: (jnp.diff(x, axis=axis) for x in fields for axis in (1, 2, 3))  # noqa: E731
        losses = {
            "warp_in": lambda: error(face + sample(offsets, face), seen).mean(),
            "warp_out": lambda: error(place + sample(out["offsets"], place), face).mean(),
            "smooth": lambda: sum((jnp.square(x).mean() for x in steps()), jnp.zeros((), offsets.dtype)),
        }
        if "sampling_grid" in out:
            losses["flow"] = lambda: self.flow(out["sampling_grid"], source, driver)
        return losses

    def flow(self, coords: Array, source: View, driver: View) -> Array:
        """The driver's points must be read from where the source's are."""
        read = grid_sample(coords, driver.landmarks[..., :2], "border")
        error = geometry.point_error(read, source.landmarks[..., :2], self.flow_weight)
        # Points of a face turned far away are hidden; their image coordinates say little.
        facing = (jnp.abs(driver.pose[:, 1]) < 0.5) & (jnp.abs(source.pose[:, 1]) < 0.5)
        return (error * facing.astype(error.dtype)).mean()

    # ---- transfer -----------------------------------------------------------------------------------

    def transfer(self, params: dict, outputs: ForwardOutputs, networks: LossNetworks) -> Losses:
        """l_consist, l_cross_id, the contrasts and the canonical volumes', on images nobody has seen."""
        out, b = outputs.transferred, outputs.source.pose.shape[0]
        assert out is not None
        source, driver = outputs.pick(outputs.source), outputs.pick(outputs.driver)
        focus = self.focus(source)
        if driver.matte is not None:
            focus *= self.foreground(driver)  # what is the person in both frames
        volumes = outputs.latents.appearance
        people = functools.cache(lambda: self.identities(params, outputs, networks))
        return {
            "consist": lambda: transfer.consistency(out.from_j, out.from_i, focus, networks.image).mean(),
            "cross_id": lambda: people()["cross_id"],
            "identity": lambda: people()["identity"],
            "contrast": lambda: self.motions(params, outputs).mean(),
            "canonical": lambda: transfer.canonical_consistency(volumes[outputs.transfer_indices], volumes[b:]).mean(),
        }

    def identities(self, params: dict, outputs: ForwardOutputs, networks: LossNetworks) -> Metrics:
        """The driven stranger stays himself; and, for our own encoder, what a person is at all."""
        assert outputs.transferred is not None
        source, cross_driver, crossed = (
            outputs.pick(outputs.source),
            outputs.pick(outputs.cross_driver),
            outputs.transferred.crossed,
        )
        few, b = crossed.shape[0], outputs.source.pose.shape[0]
        maps = self.model.apply(
            {"params": params["model"]}, join(crossed, cross_driver.image), method="encode_identity"
        )
        source_id, same_id = (
            embedding(identity)
            for identity in (outputs.latents.identity[outputs.transfer_indices], outputs.latents.identity[b:])
        )
        crossed_id, stranger_id = embedding(maps[:few]), embedding(maps[few:])
        # The person is what two frames of a clip share and a stranger does not.
        same = contrast([(source_id, same_id)], [(same_id, stranger_id)]).mean()
        person, driven = source_id, crossed_id
        if networks.identity is not None:
            faces = recognition_crop(join(source.image, crossed), join(source.pose, cross_driver.pose))
            person, driven = jnp.split(networks.identity(faces), 2)
        return {"cross_id": transfer.cross_identity(person, driven).mean(), "identity": same}

    def motions(self, params: dict, outputs: ForwardOutputs) -> Float[Array, " f"]:
        """L_cos: the codes of generated images are those of their drivers, whoever and however posed they show.

        "cross" has the one positive (crossed, k) and the negative (crossed, i). "all" has three positives, (drawn, j),
        (crossed, k) and (turned, k), which is crossed in another pose (EMOPortraits); negatives are the other drivers.
        """
        out, cross_driver = outputs.transferred, outputs.pick(outputs.cross_driver)
        assert out is not None
        code_i, code_j, code_k = outputs.pick(outputs.codes[0]), outputs.pick(outputs.codes[1]), outputs.codes[2]
        images, poses = [out.crossed], [cross_driver.pose]
        if self.contrast["pairs"] == "all":
            assert out.turned is not None and out.turned_pose is not None
            images += [outputs.pick(outputs.generated["image"]), out.turned]
            poses += [outputs.pick(outputs.driver.pose), out.turned_pose]
        faces = aligned_crop(join(*images), join(*poses), self.face_size)
        again = self.model.apply({"params": params["model"]}, faces, join(*poses), method="encode_face")
        crossed, *more = jnp.split(again, len(images))
        positives, negatives = [(crossed, code_k)], [(crossed, code_i)]
        if more:
            generated, turned = more
            positives += [(generated, code_j), (turned, code_k)]
            negatives = [(crossed, code_j), (generated, code_k), (turned, code_j)]
        return contrast(positives, negatives, self.contrast["scale"], self.contrast["margin"])

    # ---- the discriminator ---------------------------------------------------------------------------------

    def adversarial(self, params: dict, real: Array, fake: Array) -> Losses:
        """What the discriminator says of generated images, and its features of them beside those of the real ones."""
        assert self.discriminator is not None
        frozen = jax.lax.stop_gradient(params["discriminator"])
        logits, inner = self.discriminator.apply({"params": frozen}, fake)
        _, wanted = self.discriminator.apply({"params": frozen}, real)
        return {
            "adversarial": lambda: adversarial.generator_hinge(logits),
            "matching": lambda: adversarial.feature_matching(wanted, inner),
        }

    def discriminator_loss(self, params: dict, real: Array, fake: Array, step: Array) -> tuple[Array, Metrics]:
        """(loss of the discriminator, its parts): hinge, and R1 at every config.r1.every-th step where it has a
        weight."""
        discriminator = self.discriminator
        assert discriminator is not None
        judge = lambda images: discriminator.apply({"params": params["discriminator"]}, images)[0]  # noqa: E731
        b = real.shape[0]
        logits = judge(join(real, fake))
        hinge = adversarial.discriminator_hinge([x[:b] for x in logits], [x[b:] for x in logits])
        hinge = self.started("discriminator", hinge, step)
        r1 = self.config.get("r1", {"weight": 0.0})
        if not r1["weight"]:
            return hinge, {"discriminator": hinge}
        due = step % r1["every"] == 0
        penalty = jax.lax.cond(due, lambda: adversarial.r1_penalty(judge, real).mean(), lambda: 0.0)
        penalty = self.started("discriminator", penalty, step)
        # Paid for the steps in between as well (Karras et al. 2020).
        return hinge + 0.5 * r1["weight"] * r1["every"] * penalty, {"discriminator": hinge, "r1": penalty}
