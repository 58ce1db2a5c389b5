"""Released weights: a folder with config.json, safetensors files and a SHA-256 manifest.

Arrays are stored under their paths ("module/name"). float32 may be stored as float16, which halves the size, and
matrices and kernels as int8 with one float16 scale for each output ("module/name:scale"), which takes a quarter; both
come back as float32.
"""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
import safetensors
import safetensors.numpy
from flax.traverse_util import flatten_dict, unflatten_dict

from vasa_jax import files
from vasa_jax.errors import InputError

BUNDLED, BUNDLED_FAST = "bundled", "bundled-fast"
BUNDLED_DIRECTORY = Path(__file__).parent / "bundled"
SHIPPED = {BUNDLED: BUNDLED_DIRECTORY, BUNDLED_FAST: Path(__file__).parent / "bundled_fast"}
"""Releases that come with the package: of 256 px, and of 128 px at twice as many frames a second."""
SCHEMA = 1


@dataclasses.dataclass(frozen=True)
class Release:
    """A loaded release. Parameters are nested dicts of float32 numpy arrays; motion and pose are None when absent."""

    face_config: dict[str, Any]
    face_params: dict[str, Any]
    motion_config: dict[str, Any] | None
    motion_params: dict[str, Any] | None
    motion_stats: dict[str, np.ndarray] | None
    info: dict[str, Any]
    directory: Path
    pose_config: dict[str, Any] | None = None
    pose_params: dict[str, Any] | None = None


STORED = ("float32", "float16", "int8")
_SCALE = ":scale"
_UPDATE = "face_update.safetensors"
_SMALLEST = 1024  # numbers of an array that are worth rounding to int8


def _rounded(value: np.ndarray) -> dict[str, np.ndarray]:
    """int8 and the scale of each output (last axis); what comes back is off by at most 1/254 of its largest number."""
    largest = np.abs(value).max(tuple(range(value.ndim - 1)))
    # Rounded up, so that no number leaves the range once the scale is a float16.
    scale = np.nextafter((largest / 127).astype(np.float16), np.float16(np.inf))
    return {"": np.clip(np.round(value / scale.astype(np.float32)), -127, 127).astype(np.int8), _SCALE: scale}


def save_params(path: Path, params: dict[str, Any], *, stored: str = "float32") -> None:
    """Writes a tree as safetensors.

    Args:
      path: the file.
      params: nested dicts of arrays.
      stored: how float32 is stored, one of `STORED`; values beyond the range of float16 are refused.
    """
    flat: dict[str, np.ndarray] = {}
    for name, value in flatten_dict(jax.tree.map(np.asarray, params), sep="/").items():
        if stored == "float32" or value.dtype != np.float32:
            flat[name] = value
            continue
        if not np.all(np.abs(value) < np.finfo(np.float16).max):
            raise InputError(f"{path}: {name} holds values float16 cannot; export with float32")
        if stored == "int8" and value.ndim > 1 and value.size >= _SMALLEST:
            flat |= {name + suffix: part for suffix, part in _rounded(value).items()}
        else:
            flat[name] = value.astype(np.float16)
    flat = {name: np.ascontiguousarray(value) for name, value in flat.items()}
    with files.replacing(path) as temporary:
        safetensors.numpy.save_file(flat, temporary)


def load_params(path: Path) -> dict[str, Any]:
    """Reads a tree of safetensors; float16 and int8 become float32."""
    try:
        flat = safetensors.numpy.load_file(path)
    except (OSError, safetensors.SafetensorError) as error:
        raise InputError(f"{path} is not a readable safetensors file ({error}); download or export it again") from error
    for name in [name for name in flat if name.endswith(_SCALE)]:
        scale, whole = flat.pop(name).astype(np.float32), name.removesuffix(_SCALE)
        flat[whole] = flat[whole].astype(np.float32) * scale
    flat = {name: v.astype(np.float32) if v.dtype == np.float16 else v for name, v in flat.items()}
    return unflatten_dict(flat, sep="/")


def save_release(
    directory: str | Path,
    *,
    face_config: dict[str, Any],
    face_params: dict[str, Any],
    motion_config: dict[str, Any] | None = None,
    motion_params: dict[str, Any] | None = None,
    motion_stats: dict[str, Any] | None = None,
    pose_config: dict[str, Any] | None = None,
    pose_params: dict[str, Any] | None = None,
    info: dict[str, Any] | None = None,
    model_card: str | None = None,
    stored: str = "float16",
) -> Path:
    """Writes a release directory. An existing MODEL_CARD.md is kept unless `model_card` is given.

    `stored` is of the face model; motion and pose are small, and stored as float16 where it says int8. The pose encoder
    trained alone is for starting face runs from (`config.init_from=DIRECTORY/pose.safetensors`).
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    save_params(directory / "face.safetensors", face_params, stored=stored)
    (directory / _UPDATE).unlink(missing_ok=True)
    for name, params in (("motion", motion_params), ("pose", pose_params)):
        path = directory / f"{name}.safetensors"
        if params is not None:
            save_params(path, params, stored="float16" if stored == "int8" else stored)
        else:
            path.unlink(missing_ok=True)
    stats = {key: np.asarray(value, np.float64).tolist() for key, value in (motion_stats or {}).items()} or None
    config = {"schema": SCHEMA, "face": face_config, "motion": motion_config, "motion_stats": stats}
    config |= ({"pose": pose_config} if pose_params is not None else {}) | (info or {})
    files.write_json(directory / "config.json", config)
    if model_card is not None:
        with files.replacing(directory / "MODEL_CARD.md") as temporary:
            temporary.write_text(model_card, encoding="utf-8")
    return write_manifest(directory)


def update_face(directory: str | Path, face_params: dict[str, Any], *, stored: str = "int8") -> Path:
    """Gives a release other parameters of its face model: beside the old ones, only those arrays that differ.

    A history that keeps every version (git) so grows by a generator, not by the encoders that did not change.
    """
    directory, update = Path(directory), Path(directory) / _UPDATE
    save_params(update, face_params, stored=stored)
    old, new = (safetensors.numpy.load_file(path) for path in (directory / "face.safetensors", update))
    changed = {name for name, value in new.items() if name not in old or not np.array_equal(value, old[name])}
    # Rounding what was rounded before gives another scale; what the release has already need not come again.
    has, given = (flatten_dict(tree, sep="/") for tree in (load_params(directory / "face.safetensors"), face_params))
    same = {name for name, value in given.items() if name in has and np.array_equal(np.asarray(value), has[name])}
    changed = {name for name in changed if name.removesuffix(_SCALE) not in same}
    # An array that is stored as int8 needs its scale beside it, changed or not.
    wholes = {name.removesuffix(_SCALE) for name in changed}
    with files.replacing(update) as temporary:
        safetensors.numpy.save_file({k: v for k, v in new.items() if k.removesuffix(_SCALE) in wholes}, temporary)
    return write_manifest(directory)


def _face_params(directory: Path) -> dict[str, Any]:
    """Those of face.safetensors, and what `update_face` wrote in place of some of them."""
    params = load_params(directory / "face.safetensors")
    if not (directory / _UPDATE).is_file():
        return params
    flat = [flatten_dict(tree, sep="/") for tree in (params, load_params(directory / _UPDATE))]
    return unflatten_dict(flat[0] | flat[1], sep="/")


def write_manifest(directory: str | Path) -> Path:
    """Writes manifest.json: size and SHA-256 of every file of the release."""
    directory = Path(directory)
    names = ("config.json", "face.safetensors", _UPDATE, "motion.safetensors", "pose.safetensors", "MODEL_CARD.md")
    entries = {name: files.fingerprint(directory / name) for name in names if (directory / name).is_file()}
    files.write_json(directory / "manifest.json", {"schema": SCHEMA, "files": entries})
    return directory


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path} cannot be read ({type(error).__name__}); is {path.parent} a release?") from error


def verify_manifest(directory: Path) -> None:
    """Raises InputError when a file of the release is missing or differs from its recorded SHA-256."""
    for name, entry in _read_json(directory / "manifest.json").get("files", {}).items():
        if (said := files.damage(directory / name, entry)) == "is missing":
            raise InputError(f"{directory / name} is missing; download or export the release again")
        if said:
            raise InputError(f"{directory / name} is damaged: it {said}; download or export it again")


def load_release(path: str | os.PathLike = BUNDLED) -> Release:
    """Loads and verifies a release directory, or the bundled one. Raises InputError when it is absent or damaged."""
    directory = SHIPPED.get(str(path), Path(path))
    if not (directory / "config.json").is_file():
        hint = "train and export one (vasa-export)" if str(path) in SHIPPED else "give a folder that vasa-export wrote"
        raise InputError(f"{directory} is no release (it has no config.json); {hint}")
    verify_manifest(directory)
    config = _read_json(directory / "config.json")
    if config.get("schema") != SCHEMA:
        schema = config.get("schema")
        raise InputError(f"{directory}/config.json has schema {schema}, expected {SCHEMA}; update vasa_jax")
    motion, pose = config.get("motion"), config.get("pose")
    stats = config.get("motion_stats")
    return Release(
        face_config=config["face"],
        face_params=_face_params(directory),
        motion_config=motion,
        motion_params=load_params(directory / "motion.safetensors") if motion is not None else None,
        motion_stats={key: np.asarray(value, np.float32) for key, value in stats.items()} if stats else None,
        pose_config=pose,
        pose_params=load_params(directory / "pose.safetensors") if pose is not None else None,
        info={key: value for key, value in config.items() if key not in ("face", "motion", "motion_stats", "pose")},
        directory=directory,
    )
