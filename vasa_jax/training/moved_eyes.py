"""Photographs whose eyes look elsewhere or close: each person's own irises and skin, moved.

    turned = turn(view, angles)          # angles [b, 2] radians
    closed = close(turned, closure)      # closure [b], 0..1; zeros leave the eyes as they are

Photographs show open eyes, most of which look into the camera. A generator that learns from them alone never sees how a
stranger's eyes turn or close. Here the irises move between the lids, and the upper lid goes with them up and down; and
to close an eye the skin between brow and lashes is stretched down until the lashes lie on the lower lid. Image and
landmarks move alike: both say where the pixels of the new eye lie in the old one.

The face that the dynamics encoder sees stays as it is. An encoder that learned from few people hardly sees that
strangers' eyes move: its reading of closed lids rises by 0.2 where that of GRID's rises by 1. So the code of moved eyes
is made, not read (`generator_task.stored_inputs`).
"""

from collections.abc import Callable
from typing import Any

import flax
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vasa_jax import landmarks
from vasa_jax.ops import precise
from vasa_jax.ops.warp import grid_sample, identity_grid
from vasa_jax.training.augment import View

_EYES = (("eye_left", "brow_left", 0), ("eye_right", "brow_right", 1))
"""Points of an eye, of the brow above it, and which of the irises is its own."""
_LOWER, _UPPER = (0, 1, 2, 3, 4, 5, 6, 7, 8), (0, 15, 14, 13, 12, 11, 10, 9, 8)
"""Points of an eye along either lid, from the outer corner to the inner one (`landmarks.GROUPS`)."""
_BROW_EDGE = slice(5, 10)  # lower edge of a brow
# In widths of the eye:
_EYEBALL, _IRIS = 0.47, 0.2  # radii: 24 and 12 mm across, where an eye is 26 to 30 mm wide
_LASHES = 0.05  # half the height of the strip that moves as it is
_OVERLAP = 0.05  # how far below the points of the lower lid a closed one reaches
_LEAST_SKIN, _SKIN = 0.15, 0.85  # least height of the skin that gives way, and the share of the way to the brow
_SOFT = 0.04  # over which an edge blends into what lies beside it
_YIELDS = 0.75  # share of the white beside an iris that it may take


def turn(view: View, angles: Float[Array, "b 2"]) -> View:
    """The view with both eyes turned in the head by (theta, phi): + to the image's right, and up; radians.

    An iris moves as far as there is white for.
    """
    changed = jnp.any(angles != 0, -1)
    labels = {"eyes": view.labels["eyes"] + angles}
    return _moved(view, _turned, angles, changed, labels)


def close(view: View, closure: Float[Array, " b"]) -> View:
    """The view with the upper lids of both eyes lowered; closure 0..1."""
    labels = {"lids": jnp.maximum(view.labels["lids"], closure[:, None])}
    return _moved(view, _closed, closure, closure > 0, labels)


def draw_turns(keys: Array, share: float) -> Float[Array, "b 2"]:
    """Angles for `turn`, up to 0.5 aside and 0.3 up and down; 0 but for a share. One key an image."""
    draw = jax.vmap(lambda key: jax.random.uniform(key, (3,)))(keys)
    angles = (2.0 * draw[:, 1:] - 1.0) * jnp.asarray([[0.5, 0.3]])
    return jnp.where(draw[:, :1] < share, angles, 0.0)


def draw_closures(keys: Array, share: float) -> Float[Array, " b"]:
    """Closures for `close`: 0 but for a share; half of those are closed, the others on their way. One key an image."""
    draw = jax.vmap(lambda key: jax.random.uniform(key, (2,)))(keys)
    return jnp.where(draw[:, 0] < share, jnp.clip(2.0 * draw[:, 1], 0.2, 1.0), 0.0)


def _moved(view: View, way: Callable[..., Any], by: Array, changed: Array, labels: dict[str, Array]) -> View:
    places, image, points = identity_grid(view.image.shape[1:3]), view.image, view.landmarks
    for eye, brow, which in _EYES:
        at = landmarks.SLICES["irises"].start + which
        ring, edge = (view.landmarks[:, landmarks.SLICES[name], :2] for name in (eye, brow))
        eyes = jax.vmap(_Eye.of)(ring, edge, view.landmarks[:, at, :2])
        there, weight, shifts, shift = jax.vmap(way, (None, 0, 0))(places, eyes, by)
        image = image + weight[..., None] * (grid_sample(view.image, there, "border") - image)
        upper = landmarks.SLICES[eye].start + jnp.asarray(_UPPER)
        points = points.at[:, upper, :2].add(shifts).at[:, at, :2].add(shift)
    pick = lambda new, old: jnp.where(changed.reshape(-1, *[1] * (new.ndim - 1)), new, old)  # noqa: E731
    return view.replace(
        image=pick(image, view.image), landmarks=pick(points, view.landmarks), labels=view.labels | labels
    )


@flax.struct.dataclass
class _Eye:
    """An eye (or a batch) in its own frame, in its widths: t from the outer corner (0) to the inner one (1), s down."""

    corner: Float[Array, "*b 2"]
    axes: Float[Array, "*b 2 2"]
    """Columns: a step along t, a step along s, in the image."""
    upper: Float[Array, "*b 9 2"]
    lower: Float[Array, "*b 9 2"]
    iris: Float[Array, "*b 2"]
    skin: Float[Array, "*b"]
    """Height above the lid of the skin that gives way."""

    @classmethod
    def of(cls, ring: Float[Array, "16 2"], brow: Float[Array, "10 2"], iris: Float[Array, " 2"]) -> "_Eye":
        along = ring[8] - ring[0]
        down = jnp.stack([-along[1], along[0]])
        down = down * jnp.sign(precise.matmul(ring[4] - ring[12], down))
        axes = jnp.stack([along, down], -1)
        into = lambda points: _into(points, ring[0], axes)  # noqa: E731
        upper = into(ring[jnp.asarray(_UPPER)])
        skin = _SKIN * (upper[4, 1] - into(brow[_BROW_EDGE])[:, 1].mean())
        skin = jnp.maximum(skin, _LEAST_SKIN)
        return cls(ring[0], axes, upper, into(ring[jnp.asarray(_LOWER)]), into(iris), skin)

    def into(self, places: Float[Array, "*n 2"]) -> Float[Array, "*n 2"]:
        """Places of the image in this frame."""
        return _into(places, self.corner, self.axes)

    def along(self, steps: Float[Array, "*n 2"]) -> Float[Array, "*n 2"]:
        """Steps in this frame as steps in the image."""
        return precise.matmul(steps, self.axes.T)

    def lids(self, t: Array) -> tuple[Array, Array]:
        """Where the upper and the lower lid lie, s, at a place along the eye."""
        return jnp.interp(t, self.upper[:, 0], self.upper[:, 1]), jnp.interp(t, self.lower[:, 0], self.lower[:, 1])


def _into(places: Float[Array, "*n 2"], corner: Float[Array, " 2"], axes: Float[Array, "2 2"]) -> Float[Array, "*n 2"]:
    """Places of the image as steps along axes of one length from a corner."""
    return precise.matmul(places - jnp.broadcast_to(corner, places.shape), axes) / jnp.square(axes[:, 0]).sum()


def _arch(t: Array) -> Array:
    """How freely a lid moves along the eye: 0 at the corners, 1 in the middle."""
    return 4.0 * jnp.clip(t * (1.0 - t), 0.0)


def _piecewise(x: Array, have: tuple, want: tuple) -> Array:
    """Linear between knots, each a number or one a place; the identity beyond the first and the last."""
    out = jnp.where(x > have[-1], x - have[-1] + want[-1], x - have[0] + want[0])
    for a, b, u, v in zip(have[:-1], have[1:], want[:-1], want[1:], strict=True):
        out = jnp.where((x > a) & (x <= b), u + (x - a) * (v - u) / jnp.maximum(b - a, 1e-6), out)
    return out


def _turned(places: Float[Array, "h w 2"], eye: _Eye, angles: Float[Array, " 2"]) -> tuple[Array, Array, Array, Array]:
    """Where each place is read, how much of that is taken, steps of the upper lid's points and of the iris."""
    rightwards = _EYEBALL * jnp.sin(angles[0]) * jnp.sign(eye.axes[0, 0])
    low, high = eye.iris[0] - _IRIS, eye.iris[0] + _IRIS
    white = jnp.maximum(jnp.where(rightwards > 0, 1.0 - high, low), 0.0)
    aside = jnp.clip(rightwards, -_YIELDS * white, _YIELDS * white)
    foot = eye.lower[4, 1] + 0.1  # what lies below the lower lid stays
    below = jnp.maximum(foot - eye.iris[1], 0.0)
    fall = jnp.clip(-_EYEBALL * jnp.sin(angles[1]), -_YIELDS * below, _YIELDS * below)
    here = eye.into(places)
    t, s = here[..., 0], here[..., 1]
    lid, rest = eye.lids(t)
    drop, top = fall * _arch(t), lid - eye.skin
    middle = jnp.maximum(eye.iris[1], lid)
    foot = jnp.maximum(rest + 0.1, middle + 0.1)
    read = _piecewise(s, (top, lid + drop, middle + drop, foot), (top, lid, middle, foot))
    inside = jnp.clip((read - lid) / _SOFT, 0.0, 1.0) * jnp.clip((rest - read) / _SOFT, 0.0, 1.0)
    beside = _piecewise(t, (0.0, low + aside, high + aside, 1.0), (0.0, low, high, 1.0))
    steps = jnp.stack([inside * (beside - t), read - s], -1)
    near = ((t > 0) & (t < 1)).astype(steps.dtype)
    up = jnp.stack([jnp.zeros(9), fall * _arch(eye.upper[:, 0])], -1)
    return places + eye.along(steps), near, eye.along(up), eye.along(jnp.stack([aside, fall]))


def _closed(places: Float[Array, "h w 2"], eye: _Eye, closure: Float[Array, ""]) -> tuple[Array, Array, Array, Array]:
    """Where each place is read, how much of that is taken, steps of the upper lid's points and of the iris."""
    here = eye.into(places)
    t, s = here[..., 0], here[..., 1]
    lid, rest = eye.lids(t)
    drop = closure * (jnp.maximum(rest - lid, 0.0) + _OVERLAP * _arch(t))
    # Skin from `top` down to the lashes is stretched, the lashes move as they are, what lies below stays.
    top, lashes = lid - eye.skin, _LASHES * _arch(t)
    read = _piecewise(s, (top, lid - lashes + drop), (top, lid - lashes))
    covered = jnp.clip((lid + lashes + drop - s) / _SOFT, 0.0, 1.0)
    weight = jnp.where((s > top) & (drop > 1e-4), covered, 0.0)
    steps = jnp.stack([jnp.zeros_like(s), read - s], -1)
    fall = closure * jnp.maximum(eye.lids(eye.upper[:, 0])[1] - eye.upper[:, 1], 0.0)
    up = jnp.stack([jnp.zeros(9), fall], -1)
    return places + eye.along(steps), weight, eye.along(up), jnp.zeros(2)
