"""Photographs that smile, and that raise or knit their brows: each person's own pixels, moved.

    changed = move(view, amounts)        # amounts [b, 3], each -1..1; zeros leave the face as it is

Face points are moved by a template, and what lies between them goes along. `CHANNELS` says what each amount does.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vasa_jax import landmarks
from vasa_jax.ops import precise
from vasa_jax.ops.warp import grid_sample, identity_grid
from vasa_jax.training.augment import View

CHANNELS = ("smile", "brows", "inner_brows")
"""Corners of the mouth out and up (in and down); brows up (down); their inner ends up (down and together)."""
_CORNERS = {61: 1.0, 146: 0.8, 185: 0.8, 91: 0.5, 40: 0.5, 181: 0.2, 39: 0.2,
            78: 0.9, 95: 0.7, 191: 0.7, 88: 0.4, 80: 0.4, 178: 0.2, 81: 0.2}  # fmt: skip
_BROWS = {70: 0.6, 63: 1.0, 105: 1.0, 66: 1.0, 107: 0.9, 46: 0.6, 53: 0.9, 52: 0.9, 65: 0.9, 55: 0.8}
_INNER = {107: 1.0, 55: 1.0, 66: 0.5, 65: 0.5}
"""MediaPipe's points on the image's left, and how much of a channel's step each takes."""
# Steps (x away from the middle line, y down) in the canonical face's units, whose eyes' outer corners are 0.67 apart.
_STEPS = {"smile": (_CORNERS, 0.05, -0.065), "brows": (_BROWS, 0.0, -0.075), "inner_brows": (_INNER, -0.02, -0.06)}
_DOWN = (0.8, 0.6, 0.6)
"""How far the channels go below zero, where above it they go by 1."""
_BROWS_MOVE = 0.6  # share of changed images, for either channel of the brows
_REACH = 0.08  # of a point's pull
_FREE = 0.03  # pull of what stays where it is, everywhere


@functools.cache
def _steps() -> Float[np.ndarray, "c k 2"]:
    """What each channel does to each of the face points."""
    mirror = landmarks.flip_permutation()
    made = np.zeros((len(CHANNELS), landmarks.COUNT, 2), np.float32)
    for c, name in enumerate(CHANNELS):
        points, out, down = _STEPS[name]
        for index, share in points.items():
            at = landmarks.MEDIAPIPE_INDICES.index(index)
            made[c, at] = -share * out, share * down
            made[c, np.flatnonzero(mirror == at)[0]] = share * out, share * down
    return made


def move(view: View, amounts: Float[Array, "b 3"]) -> View:
    """The view with another expression in image and landmarks; the encoder's face stays as it is."""
    gains = jnp.where(amounts < 0, jnp.asarray(_DOWN)[None], 1.0) * amounts
    places = identity_grid(view.image.shape[1:3])
    there, steps = jax.vmap(_moved, (None, 0, 0, 0))(places, view.landmarks[..., :2], view.pose, gains)
    changed = jnp.any(amounts != 0, -1)[:, None]
    image = grid_sample(view.image, there, "border")
    points = view.landmarks.at[..., :2].add(steps)
    return view.replace(
        image=jnp.where(changed[..., None, None], image, view.image),
        landmarks=jnp.where(changed[..., None], points, view.landmarks),
    )


def draw(keys: Array, share: float, smiles: float) -> Float[Array, "b 3"]:
    """Amounts for `move`: 0 but for a share, which has up to three channels at once. One key an image.

    Args:
      share: of the images.
      smiles: share of these that smile, or turn the corners of the mouth down.
    """
    uniform = jax.vmap(lambda key: jax.random.uniform(key, (7,)))(keys)
    used = (uniform[:, :1] < share) & (uniform[:, 1:4] < jnp.asarray([[smiles, _BROWS_MOVE, _BROWS_MOVE]]))
    return jnp.where(used, 2.0 * uniform[:, 4:] - 1.0, 0.0)


def _moved(
    places: Float[Array, "h w 2"], points: Float[Array, "k 2"], pose: Float[Array, " 7"], gains: Float[Array, " 3"]
) -> tuple[Float[Array, "h w 2"], Float[Array, "k 2"]]:
    """Where each place is read, and the steps that the points make."""
    cos, sin = jnp.cos(pose[2]), jnp.sin(pose[2])
    turn = pose[6] * jnp.stack([jnp.stack([cos * jnp.cos(pose[1]), -sin]), jnp.stack([sin * jnp.cos(pose[1]), cos])])
    steps = precise.einsum("c,cki,ji->kj", gains, jnp.asarray(_steps()), turn)
    # The points pull what is near them, those that stay as well as those that move.
    went = _pulled(points + steps, points + steps, steps, pose[6])
    return places - _pulled(places, points + steps, steps, pose[6]), went


def _pulled(
    places: Float[Array, "*n 2"], points: Float[Array, "k 2"], steps: Float[Array, "k 2"], scale: Float[Array, ""]
) -> Float[Array, "*n 2"]:
    """Steps of what lies at places, between points that make steps."""
    square = jnp.square(places[..., None, :] - points.reshape(*[1] * (places.ndim - 1), *points.shape)).sum(-1)
    pull = jnp.exp(-0.5 * square / jnp.square(_REACH * scale))
    return precise.matmul(pull, steps) / (pull.sum(-1, keepdims=True) + _FREE)
