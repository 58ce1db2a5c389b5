"""Procedural people who do what they are told: any head pose with any face, drawn, and with its exact truth.

Here a swap of pose and dynamics, of which no video of a real person exists, has a true image.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from scipy.spatial.transform import Rotation

from data_pipelines import schema
from data_pipelines.prepare.latents import model_image
from data_pipelines.synthetic.generate import split_of
from data_pipelines.synthetic.head import FrameState, Head
from data_pipelines.synthetic.moments import combine, moments
from data_pipelines.synthetic.scene import Renderer, sample_scene
from data_pipelines.synthetic.twins import centre_of
from vasa_jax import files, landmarks

DRAWS = 3
"""Swaps that each person takes part in."""
_BANK = 24, 16
"""Performances that moments are taken from, two of each; probes are fitted with the first 16, tested with the rest."""
_PROBES = 11, 5
"""Random pairs of pose and face for fitting the probes and for testing them, of each person."""


def held_out(count: int) -> list[int]:
    """The first `count` identities that are nobody's training data."""
    found, identity = [], 0
    while len(found) < count:
        if split_of(identity) == "test":
            found.append(identity)
        identity += 1
    return found


@dataclasses.dataclass(frozen=True)
class Drawn:
    """Pictures and their truth; names and units of the labels are those of `schema.PER_FRAME`."""

    images: UInt8[np.ndarray, "t s s 3"]
    labels: dict[str, np.ndarray]


class Puppet:
    """A held-out identity in a scene of its own.

    Args:
      identity: number of the person.
      size: side of the images.
    """

    def __init__(self, identity: int, size: int):
        self.name, self._size = f"head{identity:06d}", size
        self._head = Head(identity)
        self._renderer = Renderer(self._head, sample_scene(identity), schema.stored_size(size))
        self._lids = self._head.neutral_lids()
        self._centre = centre_of(self._head)

    def draw(self, states: list[FrameState]) -> Drawn:
        """One image a state."""
        posed = [self._head.pose(state) for state in states]
        images = []
        for p in posed:
            p.points = p.points - self._centre
            images.append(model_image(self._renderer(p), self._size))
        marks = np.stack([p.landmarks for p in posed]) - self._centre
        turns = Rotation.from_euler("xyz", [state.rotation for state in states]).as_matrix()
        gaze = schema.gaze_direction(np.asarray([state.gaze for state in states]))
        opening, width = np.moveaxis(landmarks.mouth(marks), -1, 0)
        closed = landmarks.lids(np.stack([p.canonical for p in posed])) / self._lids
        labels = {
            "landmarks": marks,
            "pose": landmarks.fit_pose(marks),
            "eyes": schema.gaze_angles(np.einsum("tji,tj->ti", turns, gaze)),
            "mouth": np.stack([opening, width], -1),
            "lids": np.clip(1 - closed, 0, 1),
        }
        return Drawn(np.stack(images), {name: np.asarray(value, np.float32) for name, value in labels.items()})


@dataclasses.dataclass(frozen=True)
class Act:
    """All that one person is drawn in. Letters: the moment of the pose, then the moment of the face.

    Attributes:
      name: of the person.
      source: the portrait.
      own: "ii", "jj", "ji" and "ij", DRAWS images each.
      driver: "ii" of somebody else, in the very same moments.
      fit, test: poses and faces that have nothing to do with each other, for probes.
    """

    name: str
    source: Drawn
    own: dict[str, Drawn]
    driver: Drawn
    fit: Drawn
    test: Drawn


_GROUPS = ("source", "ii", "jj", "ji", "ij", "driver", "fit", "test")


def acts(count: int, size: int, seed: int = 0, folder: str | None = None) -> Iterator[Act]:
    """Held-out identities, one after another.

    Args:
      count: how many.
      size: side of the images.
      seed: of moments and pairs.
      folder: where drawings are kept for the next run; None keeps none.
    """
    bank = [moment.state for moment in moments(_BANK[0], 2, seed)]
    identities = held_out(count + 1)
    driver = None
    for k, identity in enumerate(identities[:count]):
        path = Path(folder) / f"puppets_{size}px_{seed}_{identity}.npz" if folder else None
        if path and path.is_file():
            yield _read(path, identity)
            driver = None
            continue
        person = Puppet(identity, size)
        driver = driver or Puppet(identities[k - 1], size)
        drawings = {
            name: (driver if name == "driver" else person).draw(states)
            for name, states in _script(bank, np.random.default_rng([seed, identity, 7402])).items()
        }
        driver = person
        if path:
            _keep(path, drawings)
        yield _act(identity, drawings)


def _script(bank: list[FrameState], rng: np.random.Generator) -> dict[str, list[FrameState]]:
    """What is drawn of a person, and of the driver."""
    source, *pairs = rng.choice(len(bank), 1 + 2 * DRAWS, replace=False)
    moments_i, moments_j = ([bank[k] for k in part] for part in (pairs[:DRAWS], pairs[DRAWS:]))
    parts = {"i": moments_i, "j": moments_j}
    script = {"source": [bank[source]], "driver": moments_i}
    for name in ("ii", "jj", "ji", "ij"):
        script[name] = [combine(*pair) for pair in zip(parts[name[0]], parts[name[1]], strict=True)]
    known = 2 * _BANK[1]
    for name, count, part in (("fit", _PROBES[0], bank[:known]), ("test", _PROBES[1], bank[known:])):
        chosen = rng.integers(len(part), size=(count, 2))
        script[name] = [combine(part[a], part[b]) for a, b in chosen]
    return script


def _act(identity: int, drawings: dict[str, Drawn]) -> Act:
    own = {name: drawings[name] for name in ("ii", "jj", "ji", "ij")}
    others = {name: drawings[name] for name in ("source", "driver", "fit", "test")}
    return Act(f"head{identity:06d}", own=own, **others)


def _keep(path: Path, drawings: dict[str, Drawn]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for name, drawn in drawings.items():
        arrays[f"{name}/pictures"] = drawn.images
        arrays |= {f"{name}/{label}": value for label, value in drawn.labels.items()}
    with files.replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)


def _read(path: Path, identity: int) -> Act:
    with np.load(path) as stored:
        parts: dict[str, dict[str, np.ndarray]] = {name: {} for name in _GROUPS}
        for key in stored.files:
            name, label = key.split("/")
            parts[name][label] = stored[key]
    return _act(identity, {name: Drawn(part.pop("pictures"), part) for name, part in parts.items()})
