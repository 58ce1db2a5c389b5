"""Views of stored frames for stage 1, made on the accelerator inside the train step.

Both frames of a clip get the same change of person (colour mixing, tone, one smooth warp, mirror), because
a one-shot model must see many people; each frame gets its own place in the crop; the dynamics encoder's face gets
noise of its own. Labels follow the pixels.
"""

import flax
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from jaxtyping import Array, Float

from vasa_jax import landmarks
from vasa_jax.landmarks import MARGIN
from vasa_jax.models.dynamics_encoder import aligned_crop
from vasa_jax.ops import precise
from vasa_jax.ops.warp import grid_sample, identity_grid


class View(flax.struct.PyTreeNode):
    """A batch of model images with their labels."""

    image: Float[Array, "b h w 3"]
    face: Float[Array, "b s s 3"]
    landmarks: Float[Array, "b k 3"]
    pose: Float[Array, "b 7"]
    labels: dict[str, Float[Array, "b 2"]]
    matte: Float[Array, "b h w 1"] | None = None
    """How much of each pixel is the person; None: not known, the whole image counts."""


@flax.struct.dataclass
class StoredFrames:
    """Stored frames with their labels, as they come from the clip stream; a batch, or one of it."""

    frames: Float[Array, "*b h w 3"]
    landmarks: Float[Array, "*b k 3"]
    pose: Float[Array, "*b 7"]
    labels: dict[str, Float[Array, "*b 2"]]
    matte: Float[Array, "*b h w 1"] | None = None

    @classmethod
    def gather(cls, batch: dict[str, Array], names: tuple[str, ...]) -> "StoredFrames":
        """The frames `names` of a batch of pairs, one batch after another."""
        pick = lambda suffix: jnp.concatenate([batch[f"{name}{suffix}"] for name in names])  # noqa: E731
        labels = {label: pick(f"_{label}") for label in ("mouth", "lids", "eyes")}
        matte = pick("_matte").astype(jnp.float32) / 255.0 if f"{names[0]}_matte" in batch else None
        return cls(pick("").astype(jnp.float32) / 255.0, pick("_landmarks"), pick("_pose"), labels, matte)


def plain_view(stored: StoredFrames, size: int, face_size: int) -> View:
    """The centre crop of stored frames, unchanged."""
    coords = jnp.broadcast_to(identity_grid((size, size)), (stored.frames.shape[0], size, size, 2)) / MARGIN
    image = grid_sample(stored.frames, coords, "border")
    face = aligned_crop(image, stored.pose, face_size)
    matte = None if stored.matte is None else grid_sample(stored.matte, coords, "border")
    return View(image, face, stored.landmarks, stored.pose, stored.labels, matte)


def person_parameters(key: Array, config: ml_collections.ConfigDict) -> dict[str, Array]:
    """One random change of person. A single draw: many small ones are what makes a step slow to compile."""
    draw = jax.random.normal(key, (88,))
    control, mix, tone = draw[:72].reshape(6, 6, 2), draw[72:81].reshape(3, 3), draw[81:]
    mix = jnp.eye(3) + config.colour * jnp.clip(0.6 * mix, -1.0, 1.0)
    return {
        "control": jax.image.resize(config.warp * control, (21, 21, 2), "cubic"),
        "mix": mix / mix.sum(-1, keepdims=True),
        "gamma": jnp.exp(config.colour * 1.2 * tone[0]),
        "tint": 1.0 + 0.5 * config.colour * tone[1:4],
        "grey": (jax.scipy.stats.norm.cdf(tone[4]) < config.grey).astype(jnp.float32),
        "flip": tone[5] > 0,
        "contrast": jnp.exp(-config.contrast * jnp.abs(tone[6])),
    }


def augmented_view(
    stored: StoredFrames,
    person: dict[str, Array],
    keys: Array,
    size: int,
    face_size: int,
    config: ml_collections.ConfigDict,
) -> View:
    """Stored frames under changes of person (stacked over the batch), each with a place of its own."""
    one = lambda item, who, key: _augment_one(item, who, key, size, config)  # noqa: E731
    image, points, pose, labels, matte = jax.vmap(one)(stored, person, keys)
    noise = jax.vmap(lambda k: jax.random.normal(jax.random.fold_in(k, 1), (12 + face_size**2,)))(keys)
    noisy = jax.vmap(lambda p, n: _jitter_pose(p, config.crop_jitter * n))(pose, noise[:, :4])
    face = jax.vmap(lambda f, n: _disturb(f, config.face_noise * n))(
        aligned_crop(image, noisy, face_size), noise[:, 4:]
    )
    return View(image, face, points, pose, labels, matte)


def _augment_one(stored, who, key, size, config):
    frame, points, pose, labels = stored.frames, stored.landmarks, stored.pose, stored.labels
    draw = jax.random.normal(key, (4,))
    zoom = jnp.exp(config.zoom * draw[0])
    roll = config.roll * draw[1]
    shift = jnp.clip(config.shift * draw[2:], -0.2, 0.2)
    rotation = jnp.asarray([[jnp.cos(roll), -jnp.sin(roll)], [jnp.sin(roll), jnp.cos(roll)]])
    # Where a cell u of the new image reads the stored frame: x = zoom R u + shift + d(.).
    places = zoom * precise.matmul(identity_grid((size, size)), rotation.T) + shift[None, None]
    places = places + _displacement(who["control"], places)
    image = grid_sample(frame[None], places[None] / MARGIN, "border")[0]
    image = _recolour(image, who)
    matte = (
        stored.matte if stored.matte is None else grid_sample(stored.matte[None], places[None] / MARGIN, "border")[0]
    )
    # Points go the other way; the smooth displacement is inverted by fixed-point steps.
    flat = points[:, :2]
    origin = flat
    for _ in range(3):
        origin = flat - _displacement(who["control"], origin)
    moved = precise.matmul(origin - shift[None], rotation) / zoom
    points = jnp.concatenate([moved, points[:, 2:] / zoom], -1)
    translation = jnp.concatenate([precise.matmul(pose[3:5] - shift, rotation), pose[5:6]]) / zoom
    pose = jnp.concatenate([pose[:2], pose[2:3] - roll, translation, pose[6:] / zoom])
    mirrored = _mirror(image, points, pose, labels, matte)
    return jax.tree.map(lambda a, b: jnp.where(who["flip"], a, b), mirrored, (image, points, pose, labels, matte))


def _displacement(control: Array, places: Array) -> Array:
    return grid_sample(control[None], places[None] / MARGIN, "border")[0]


def _recolour(image: Array, who: dict[str, Array]) -> Array:
    """Colours mixed, or grey; then tinted (grey becomes sepia), flattened about mid-grey, toned."""
    image = image @ who["mix"].T
    image += who["grey"] * (image.mean(-1, keepdims=True) - image)
    image = 0.5 + who["contrast"] * (image * who["tint"][None, None] - 0.5)
    return jnp.clip(image, 1e-4, 1.0) ** who["gamma"]


def _mirror(image, points, pose, labels, matte):
    order = np.asarray(landmarks.flip_permutation())
    points = points[order] * jnp.asarray([[-1.0, 1.0, 1.0]])
    pose = pose * jnp.asarray([1.0, -1.0, -1.0, -1.0, 1.0, 1.0, 1.0])
    labels = {
        "mouth": labels["mouth"],
        "lids": labels["lids"][::-1],
        "eyes": labels["eyes"] * jnp.asarray([-1.0, 1.0]),
    }
    return image[:, ::-1], points, pose, labels, None if matte is None else matte[:, ::-1]


def _jitter_pose(pose: Array, noise: Array) -> Array:
    return pose.at[2].add(noise[0]).at[3:5].add(noise[1:3]).at[6].multiply(jnp.exp(noise[3]))


def _disturb(face: Array, noise: Array) -> Array:
    """Gain and lift of each colour, a ramp of light across the face, grain."""
    gain, lift, slope, grain = 1.0 + noise[:3], 0.5 * noise[3:6], noise[6:8], noise[8:]
    ramp = identity_grid(face.shape[:2]) @ slope
    face = jnp.clip(face * gain[None, None] + lift[None, None], 0.0, 1.0) * (1.0 + ramp[..., None])
    return jnp.clip(face + 0.1 * grain.reshape(*face.shape[:2], 1), 0.0, 1.0)
