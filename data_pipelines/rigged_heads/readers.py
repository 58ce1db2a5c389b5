"""Reads rigged heads: a folder of converted ones (.npz and .webp), or published ones (.glb) as they are.

heads = readers.find("valid3d")          # {"AIAN_F_1_Casual": path, ...}
file = readers.read(heads["AIAN_F_1_Casual"])
"""

import io
import json
import os
import pathlib
import re
import zipfile

import numpy as np
from PIL import Image

from data_pipelines.rigged_heads import gltf
from data_pipelines.rigged_heads.rig import HeadFile, Mesh
from vasa_jax.errors import InputError

WHERE = (
    "fetch the heads of VALID (MIT licence) as .glb from github.com/c-frame/valid-avatars-glb,"
    " and give the folder that holds them"
)


_OUTFIT = re.compile(r"_(Busi|Casual|Default|Medi|Milit|Util)$")


def person_of(name: str) -> str:
    """Whose head it is: one face is published in several outfits. White_M_1_Busi -> White_M_1."""
    return _OUTFIT.sub("", name)


def find(folder: str | os.PathLike, at_least: int = 1) -> dict[str, pathlib.Path]:
    """Heads in a folder and below it, one file a person, by name of the person in alphabetical order.

    Of several outfits the plainest counts (Casual, else the first), and a converted file before a published one.

    Raises:
      InputError: there are fewer than `at_least` people.
    """
    root = pathlib.Path(folder)
    if not root.is_dir():
        raise InputError(f"{folder}: no such folder of rigged heads; {WHERE}")
    paths = [path for suffix in (".glb", ".npz") for path in sorted(root.rglob(f"*{suffix}"), reverse=True)]
    paths.sort(key=lambda path: path.stem.endswith("_Casual"))  # the last of a person counts
    found = {person_of(path.stem): path for path in paths}
    if len(found) < at_least:
        raise InputError(f"{folder}: {len(found)} rigged heads (.npz or .glb) in it, not {at_least} or more; {WHERE}")
    return dict(sorted(found.items()))


def find_photographs(folder: str | os.PathLike | None) -> tuple[pathlib.Path, ...]:
    """Pictures (.jpg, .png, .webp) in a folder and below it, in order; none for no folder.

    Raises:
      InputError: the folder holds none.
    """
    if folder is None:
        return ()
    kinds = (".jpg", ".jpeg", ".png", ".webp")
    found = tuple(sorted(path for path in pathlib.Path(folder).rglob("*") if path.suffix.lower() in kinds))
    if not found:
        raise InputError(
            f"{folder}: no photographs (.jpg, .png, .webp) in it; give a folder of rooms and views, or none"
        )
    return found


def read(path: str | os.PathLike) -> HeadFile:
    """A head from a .npz or .glb file.

    Raises:
      InputError: it is neither, or not whole.
    """
    path = pathlib.Path(path)
    if path.suffix == ".glb":
        return gltf.read(path)
    try:
        with np.load(path) as data:
            return _converted(path, data)
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a converted head ({error}); fetch or convert it again") from error


def _converted(path: pathlib.Path, data: np.lib.npyio.NpzFile) -> HeadFile:
    """Arrays v*, uv*, t* of each mesh and sparse targets d{mesh}_{target}_i/_v; `meta` is JSON that names them."""
    meta = json.loads(bytes(data["meta"]))
    meshes, textures = [], {}
    for entry in meta["meshes"]:
        i, number = entry["i"], entry["tex"]
        targets = {
            name: (data[f"d{i}_{k}_i"].astype(np.int64), data[f"d{i}_{k}_v"].astype(np.float32))
            for k, name in enumerate(entry["targets"])
        }
        meshes.append(Mesh(entry["name"], data[f"v{i}"], data[f"uv{i}"], data[f"t{i}"], number, targets))
        if number not in textures:
            image = path.with_name(f"{path.stem}_tex{number}.webp")
            textures[number] = np.asarray(Image.open(io.BytesIO(image.read_bytes())).convert("RGB"))
    return HeadFile(meta["name"], meshes, textures)
