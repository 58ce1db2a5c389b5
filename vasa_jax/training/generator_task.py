"""The aligned generator alone, as a task: what it is given is computed once and stored, not in every step.

With every other network frozen, four fifths of a step of the face task compute again what has not changed. Here a step
is the generator's own, and its losses are taken where it paints, in the face's square (`models.aligned_generator`), and
at a quarter of the image's size for the flow outside. The parameters are those of the whole face model, so that
what is saved is a face model.
"""

from typing import Any

import flax
import jax
import jax.numpy as jnp
import ml_collections
from jaxtyping import Array, Float

from vasa_jax.losses import adversarial, geometry
from vasa_jax.losses.perceptual import feature_loss
from vasa_jax.losses.reconstruction import masked_l1, pyramid_l1, region_boxes, region_mask, region_weight
from vasa_jax.models.aligned_generator import blend_window, face_square, square_places
from vasa_jax.models.discriminator import Discriminator
from vasa_jax.models.face_latent import FaceLatentModel
from vasa_jax.ops.resize import aligned_resize, average_pool
from vasa_jax.ops.warp import grid_sample
from vasa_jax.pretrained.networks import open_networks
from vasa_jax.training import expressions, moved_eyes, stills
from vasa_jax.training.augment import View
from vasa_jax.training.face_task import FaceStage
from vasa_jax.training.task import NETWORKS, Metrics, Task, example_keys

_COARSE = 64
"""Side of the image in which the flow outside of the square is judged."""
_OPEN = 0.4
"""Closure of lids below which an eye's direction is seen."""
_INPUTS = ("volume", "dynamics", "flow", "image", "pose", "colours")


def make_generator_task(config: ml_collections.ConfigDict) -> Task:
    """The generator task of a run's config (fields of a face run)."""
    stage = GeneratorStage(config)
    networks = {"image": open_networks(dict(config.get("features", {})), "float32").image}
    losses = {"model": stage.loss}
    if stage.discriminator is not None:
        losses["discriminator"] = stage.discriminator_loss
    return Task("face", stage.init, losses, evaluate=stage.evaluate, images=stage.images, networks=networks)


@flax.struct.dataclass
class Courses:
    """How a dynamics code changes as something is moved in a still."""

    lids: Float[Array, " d"]
    """Lids close by 1 (`inference.blinks.Lids.direction`)."""
    gaze: Float[Array, "2 d"]
    """Eyes turn by one radian aside and up (`motion_stats["gaze"]` of a release)."""
    expressions: Float[Array, "c d"]
    """Each of `expressions.CHANNELS` is moved by 1 (`motion_stats["expressions"]`)."""


def stored_inputs(
    config: ml_collections.ConfigDict, courses: Courses | None = None, spoken: Float[Array, "n d"] | None = None
) -> Any:
    """A pure function (params, batch of pairs, rng) -> arrays to store, one row an item, for `GeneratorStage`.

    Images are made uint8 and the volume float16: a megabyte an item. A share `config.crossed` of the stills keeps
    its own mouth and eyes and is driven by the next item's driver: nobody knows how that looks, and only the
    discriminator judges it. With `config.rehearse` the generator that goes on says how it looks: what it can do on
    strangers it keeps while it learns something new (distillation of itself, as in Li and Hoiem 2016, "Learning without
    Forgetting"). Shares `config.stills.gaze`, `.lids` and `.expression` of the stills whose target is known turn and
    close their eyes and change their expression in the target; of the last, a share `.smile` (0) also moves the corners
    of the mouth.

    Args:
      config: of the face run.
      courses: how codes tell of it; of other pairs they tell how far the eyes turn, by the labels. None: nothing is
        moved, and codes stay as they are read.
      spoken: codes of faces that speak, as a motion model makes them: crossed stills are driven by them. None: by
        those of other items.
    """
    stage, rehearse = FaceStage(config), config.get("rehearse", False)
    plain = FaceStage(_without(config, "stills"))

    def apply(params: dict, *args, **inputs) -> Any:
        return stage.model.apply({"params": params["model"]}, *args, **inputs)

    def led(source: View, driver: View, code: Array, still: Array, keys: list[Array]) -> tuple[View, Array]:
        """The driver, changed where it is a still, and the code that says so."""
        assert courses is not None
        share = lambda name: config.stills.get(name, 0.0)  # noqa: E731
        amounts = jnp.where(still[:, None], expressions.draw(keys[0], share("expression"), share("smile")), 0.0)
        angles = jnp.where(still[:, None], moved_eyes.draw_turns(keys[1], share("gaze")), 0.0)
        closure = jnp.where(still, moved_eyes.draw_closures(keys[2], share("lids")), 0.0)
        driver = moved_eyes.turn(expressions.move(driver, amounts), angles)
        # Of eyes that are shut nobody knows where they look.
        seen = (jnp.maximum(source.labels["lids"], driver.labels["lids"]) < _OPEN).all(-1, keepdims=True)
        turned = jnp.where(seen | still[:, None], driver.labels["eyes"] - source.labels["eyes"], 0.0)
        code = code + turned @ courses.gaze + closure[:, None] * courses.lids[None] + amounts @ courses.expressions
        return moved_eyes.close(driver, closure), code

    def make(params: dict, batch: dict[str, Array], rng: Array) -> dict[str, Array]:
        source, driver, _ = stage.views(batch, rng)
        share = config.get("crossed", 0.0)
        draw = jax.vmap(jax.random.uniform)(example_keys(jax.random.fold_in(rng, 1), batch["index"]))
        crossed = stills.is_still(batch) & (draw < share)
        pick = lambda x, y: jnp.where(crossed.reshape(-1, *[1] * (x.ndim - 1)), x, y)  # noqa: E731
        if share:
            source = jax.tree.map(pick, plain.views(batch, rng)[0], source)
        faces, poses = (jnp.concatenate([getattr(v, name) for v in (source, driver)]) for name in ("face", "pose"))
        code_i, code_j = jnp.split(apply(params, faces, poses, method="encode_face"), 2)
        code_j = pick(jnp.roll(code_j, 1, 0) if spoken is None else _drawn(spoken, batch, rng), code_j)
        latents = apply(params, source.image, source.pose, code_i, method="encode")
        known = ~crossed
        if rehearse:
            inputs, _ = apply(params, latents, driver.pose, code_j, method="generator_inputs")
            remembered = apply(params, **inputs, method="generate")["image"]
            driver, known = driver.replace(image=pick(remembered, driver.image)), jnp.ones_like(crossed)
        if courses is not None:
            keys = [example_keys(jax.random.fold_in(rng, n), batch["index"]) for n in (2, 3, 4)]
            driver, code_j = led(source, driver, code_j, stills.is_still(batch) & known, keys)
        inputs, _ = apply(params, latents, driver.pose, code_j, method="generator_inputs")
        stored = lambda x: jnp.round(255.0 * x).astype(jnp.uint8)  # noqa: E731
        return inputs | {
            "volume": inputs["volume"].astype(jnp.float16),
            "image": stored(inputs["image"]),
            "target": stored(driver.image),
            "source_landmarks": source.landmarks,
            "target_landmarks": driver.landmarks,
            "lids": driver.labels["lids"],
            "crossed": crossed.astype(jnp.float32),
            "known": known.astype(jnp.float32),
        }

    return make


def _drawn(spoken: Array, batch: dict[str, Array], rng: Array) -> Array:
    keys = example_keys(jax.random.fold_in(rng, 5), batch["index"])
    return jnp.asarray(spoken)[jax.vmap(lambda key: jax.random.randint(key, (), 0, len(spoken)))(keys)]


def _without(config: ml_collections.ConfigDict, field: str) -> ml_collections.ConfigDict:
    return ml_collections.ConfigDict({name: value for name, value in config.items() if name != field})


class GeneratorStage:
    """Holds the model and config; every method is a pure function of its arguments."""

    def __init__(self, config: ml_collections.ConfigDict):
        self.config = config
        self.model = FaceLatentModel(ml_collections.FrozenConfigDict(config.model))
        self.size = config.model.size
        self.point_weight = jnp.asarray(geometry.point_weights(**{"oval": 0.0} | dict(config.get("points", {}))))
        discriminator = dict(config.discriminator)
        self.discriminator = Discriminator(**discriminator) if discriminator.pop("enabled") else None

    def init(self, rng: Array, batch: dict[str, Array]) -> dict[str, dict]:
        """Parameters of the whole face model, and of the discriminator."""
        image = jnp.zeros((1, self.size, self.size, 3))
        params = {"model": self.model.init(rng, image, image)["params"]}
        if self.discriminator is not None:
            side = self.config.model.generator.cells * 2 * self.config.model.generator.last_patch
            key = jax.random.fold_in(rng, 1)
            params["discriminator"] = self.discriminator.init(key, jnp.zeros((1, side, side, 3)))["params"]
        return params

    def _inputs(self, batch: dict[str, Array]) -> dict[str, Array]:
        inputs = {name: batch[name] for name in _INPUTS}
        return inputs | {
            "volume": batch["volume"].astype(jnp.float32),
            "image": batch["image"].astype(jnp.float32) / 255.0,
        }

    def _draw(self, params: dict, batch: dict[str, Array]) -> dict[str, Array]:
        """Outputs, and in the square: what is wanted, shown, painted and merely moved, and where it counts."""
        inputs = self._inputs(batch)
        out = self.model.apply({"params": params["model"]}, **inputs, method="generate")
        pose, target = inputs["pose"], batch["target"].astype(jnp.float32) / 255.0
        square = out["square"]
        places = face_square(pose, square.shape[1])
        sampling_grid = grid_sample(out["coarse"], places, "border") + square[..., 4:]
        warped_source = grid_sample(inputs["image"], sampling_grid, "border")
        synthesised, blend_mask = square[..., :3], square[..., 3:4]
        points = square_places(pose, batch["target_landmarks"][..., :2])
        mask = region_mask(region_boxes(points, margin=0.1), square.shape[1:3], soft=0.05)
        return out | {
            "wanted": grid_sample(target, places, "border"),
            "source": grid_sample(inputs["image"], places, "border"),
            "shown": blend_mask * warped_source + (1.0 - blend_mask) * synthesised,
            "synthesised": synthesised,
            "warped_source": warped_source,
            "mask": mask,
            "target": target,
            "points": points,
            "image": inputs["image"],
        }

    def loss(
        self, params: dict, batch: dict, rng: Array, step: Array, carry: dict
    ) -> tuple[Array, tuple[Metrics, dict]]:
        """Weighted sum of `config.loss`' pixel, feature, painted, coarse, flow and, with a discriminator,
        adversarial."""
        outputs, focus = self._draw(params, batch), self.config.loss_focus
        # Of a crossed still, the target may be known, but not where the driver's points lie.
        mask, known, pointed = outputs["mask"], batch["known"], 1.0 - batch["crossed"]
        closure = jnp.clip(batch["lids"].mean(-1), 0.0, 1.0)[:, None, None, None]
        eyes = mask[..., 1:] * (1.0 + focus.closed * closure)
        weight = region_weight(jnp.concatenate([mask[..., :1], eyes], -1), focus.mouth, focus.eyes)
        wanted = outputs["wanted"]
        parts = {
            "pixel": known * pyramid_l1(outputs["shown"], wanted, weight),
            "feature": known * feature_loss(outputs["shown"], wanted, weight, params[NETWORKS]["image"]),
            "painted": known * masked_l1(outputs["synthesised"], wanted, weight),
            "coarse": known * self._coarse(outputs),
            "flow": pointed * self._flow(outputs, batch),
        }
        parts = {name: value.mean() for name, value in parts.items()}
        if self.discriminator is not None:
            # Outside of mouth and eyes both images are the real one: only there is anything made up.
            fake = wanted + mask.max(-1, keepdims=True) * (outputs["shown"] - wanted)
            logits, _ = self.discriminator.apply({"params": jax.lax.stop_gradient(params["discriminator"])}, fake)
            parts["adversarial"] = adversarial.generator_hinge(logits)
            # What was remembered is nothing that a camera saw.
            camera = 1.0 - batch["crossed"] * known
            carry = {"real": wanted, "fake": jax.lax.stop_gradient(fake), "camera": camera}
        total = sum(self.config.loss[name] * value for name, value in parts.items())
        return total, (parts | {"loss": total}, carry)

    def discriminator_loss(
        self, params: dict, batch: dict, rng: Array, step: Array, carry: dict
    ) -> tuple[Array, tuple[Metrics, dict]]:
        """Hinge loss of the discriminator on the squares of this very step."""
        assert self.discriminator is not None
        images = jnp.concatenate([carry["real"], carry["fake"]])
        logits, _ = self.discriminator.apply({"params": params["discriminator"]}, images)
        real, fake = zip(*(jnp.split(x, 2) for x in logits), strict=True)
        camera = carry["camera"].reshape(-1, 1, 1, 1)
        seen = [jnp.where(camera > 0, verdict, 1.0) for verdict in real]  # 1: nothing to learn
        hinge = adversarial.discriminator_hinge(seen, fake)
        return hinge, ({"discriminator": hinge}, {})

    def _coarse(self, outputs: dict[str, Array]) -> Float[Array, " b"]:
        """The whole image, moved by the coarse flow, at `_COARSE` cells."""
        factor = max(self.size // _COARSE, 1)
        small = lambda x: average_pool(x, (factor, factor))  # noqa: E731
        flow = aligned_resize(outputs["coarse"], (self.size // factor,) * 2)
        warped_source = grid_sample(small(outputs["image"]), flow, "border")
        return masked_l1(warped_source, small(outputs["target"]), jnp.ones((*warped_source.shape[:3], 1)))

    def _flow(self, outputs: dict[str, Array], batch: dict[str, Array]) -> Float[Array, " b"]:
        """The driver's points must be read from where the source's are."""
        points = batch["target_landmarks"][..., :2]
        places = outputs["points"]
        offsets = grid_sample(outputs["square"][..., 4:], places, "border") * blend_window(places)
        read = grid_sample(outputs["coarse"], points, "border") + offsets
        error = geometry.point_error(read, batch["source_landmarks"][..., :2], self.point_weight)
        return error * (jnp.abs(batch["pose"][:, 1]) < 0.5).astype(error.dtype)

    def evaluate(self, params: dict, batch: dict, rng: Array) -> Metrics:
        """Errors in mouth and eyes of what is shown, beside those of the source as it is and of the moved source."""
        outputs, known = self._draw(params, batch), batch["known"]
        mouth, eyes = outputs["mask"][..., :1], outputs["mask"][..., 1:].sum(-1, keepdims=True)
        metrics = {}
        for region, mask in (("mouth", mouth), ("eyes", eyes)):
            for name, key in (("l1", "shown"), ("moved", "warped_source"), ("copy", "source")):
                error = masked_l1(outputs[key], outputs["wanted"], mask)
                metrics[f"{name}_{region}"] = (known * error).sum() / known.sum().clip(1.0)
        return metrics

    def images(self, params: dict, batch: dict, rng: Array) -> dict[str, Array]:
        """Rows of source, target and output; in the square: target, output, paint, moved source, what is kept."""
        outputs = self._draw(params, {k: v[:8] for k, v in batch.items()})
        whole = jnp.concatenate([outputs["image"], outputs["target"], outputs["image"]], 2)
        blend_mask = jnp.broadcast_to(outputs["square"][..., 3:4], outputs["wanted"].shape)
        square = jnp.concatenate(
            [outputs["wanted"], outputs["shown"], outputs["synthesised"], outputs["warped_source"], blend_mask], 2
        )
        return {"images": whole.reshape(-1, *whole.shape[2:]), "square": square.reshape(-1, *square.shape[2:])}
