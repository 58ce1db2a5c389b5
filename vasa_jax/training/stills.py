"""Photographs as training pairs: the source loses its mouth and eyes, the target keeps them.

A still has no second frame. As its own driver it teaches copying: everything that is to be painted stands in the source
already. So mouth and eyes of the source are hidden, each in one of three ways: swapped for those of another image,
blurred, or filled with the skin around them. What the driver's code says is then nowhere in the source and has to be
painted, in the person's own skin and light.
"""

import flax
import jax
import jax.numpy as jnp
import ml_collections
from jaxtyping import Array, Bool, Float

from vasa_jax import landmarks
from vasa_jax.models.dynamics_encoder import aligned_crop
from vasa_jax.ops import precise
from vasa_jax.ops.resize import average_pool, linear_resize
from vasa_jax.ops.warp import grid_sample, identity_grid
from vasa_jax.training.augment import View

_GROUPS = (("lips_outer", 1.3, 0.05), ("eye_left", 1.35, 0.045), ("eye_right", 1.35, 0.045))
"""Points of a part, how much larger than they its region is, and what is added to its half axes."""
_SOFT = 0.25  # width of a region's edge, of its half axes
_BLUR = 16  # pixels of the model's image that are averaged


@flax.struct.dataclass
class Region:
    """An ellipse in an image: middle, half axes, turn (radians)."""

    middle: Float[Array, "b 2"]
    axes: Float[Array, "b 2"]
    roll: Float[Array, " b"]


def is_still(batch: dict[str, Array]) -> Bool[Array, " b"]:
    """Which pairs show one frame twice."""
    same = batch["source_landmarks"] == batch["driver_landmarks"]
    return same.reshape(same.shape[0], -1).all(1) & (batch["source_pose"] == batch["driver_pose"]).all(1)


def hide(view: View, other: View, still: Bool[Array, " b"], keys: Array, config: ml_collections.ConfigDict) -> View:
    """The view with mouth and eyes hidden where `still`, its face for the dynamics encoder cut out anew.

    Args:
      view, other: the sources, and the images whose parts may take the place of theirs.
      still: which of them to change.
      keys: one an image.
      config: `mouth` and `eyes`, the shares of stills of which that part is hidden.
    """
    draws = jax.vmap(lambda key: jax.random.uniform(key, (len(_GROUPS), 3)))(keys)
    places = identity_grid(view.image.shape[1:3])
    parts = [_Part.of(view, other, places, *group) for group in _GROUPS]
    # One image with the other's parts where this one's lie: reading it is what costs.
    there = jnp.broadcast_to(places, (*still.shape, *places.shape))
    for part in parts:
        there = jnp.where((part.distance < 1.0 + 2 * _SOFT)[..., None], part.there, there)
    foreign, image = grid_sample(other.image, there, "border"), view.image
    for n, part in enumerate(parts):
        # Both eyes share their fate: people do not blink with one.
        draw, share = draws[:, min(n, 1)], config.mouth if n == 0 else config.eyes
        wanted = still & (draw[:, 0] < share)
        image = jnp.where(wanted[:, None, None, None], _replaced(image, foreign, part.distance, draw[:, 1:]), image)
    face = aligned_crop(image, view.pose, view.face.shape[1])
    return view.replace(image=image, face=jnp.where(still[:, None, None, None], face, view.face))


def _region(view: View, group: str, grow: float, margin: float) -> Region:
    points = view.landmarks[:, landmarks.SLICES[group], :2]
    roll = view.pose[:, 2]
    upright = precise.einsum("bij,bkj->bki", _rotation(-roll), points)
    low, high = upright.min(1), upright.max(1)
    middle = precise.einsum("bij,bj->bi", _rotation(roll), 0.5 * (low + high))
    return Region(middle, 0.5 * grow * (high - low) + margin * view.pose[:, 6:], roll)


def _rotation(angle: Float[Array, " b"]) -> Float[Array, "b 2 2"]:
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return jnp.stack([jnp.stack([cos, -sin], -1), jnp.stack([sin, cos], -1)], -2)


def _distance(places: Float[Array, "h w 2"], region: Region, axes: Float[Array, "b 2"]) -> Float[Array, "b h w"]:
    """1 on the ellipse's edge, 0 in its middle."""
    upright = precise.einsum("bij,bhwj->bhwi", _rotation(-region.roll), places[None] - region.middle[:, None, None])
    return jnp.sqrt(jnp.square(upright / axes[:, None, None]).sum(-1) + 1e-9)


@flax.struct.dataclass
class _Part:
    """A region of an image (1 on its edge), and where in the other image what may take its place lies."""

    distance: Float[Array, "b h w"]
    there: Float[Array, "b h w 2"]

    @classmethod
    def of(cls, view: View, other: View, places: Float[Array, "h w 2"], group: str, grow: float, margin: float):
        mine, theirs = (_region(v, group, grow, margin) for v in (view, other))
        ratio = view.pose[:, 6] / other.pose[:, 6]
        distance = _distance(places, mine, jnp.maximum(mine.axes, theirs.axes * ratio[:, None]))
        turn = precise.einsum("bij,bjk->bik", _rotation(theirs.roll), _rotation(-mine.roll)) / ratio[:, None, None]
        there = precise.einsum("bij,bhwj->bhwi", turn, places[None] - mine.middle[:, None, None])
        return cls(distance, there + theirs.middle[:, None, None])


def _replaced(image: Array, foreign: Array, distance: Array, draw: Float[Array, "b 2"]) -> Float[Array, "b h w 3"]:
    """The image with a region swapped (half of the time), blurred or filled with the colour around it."""
    inside = jnp.clip((1.0 + _SOFT - distance) / _SOFT, 0.0, 1.0)[..., None]
    around = ((distance > 1.0) & (distance < 1.0 + 2 * _SOFT)).astype(image.dtype)[..., None]
    mean = lambda x: (x * around).sum((1, 2), keepdims=True) / around.sum((1, 2), keepdims=True).clip(1.0)  # noqa: E731
    skin = mean(image)
    swapped = foreign * (skin / mean(foreign).clip(0.05))
    blurred = linear_resize(average_pool(image, (_BLUR, _BLUR)), image.shape[1:3])
    filled = skin + (blurred - mean(blurred)) * draw[:, 1, None, None, None]
    fill = jnp.where((draw[:, 0] < 0.5)[:, None, None, None], swapped, filled)
    return jnp.clip(image + inside * (fill - image), 0.0, 1.0)
