"""The data sets that can be prepared, by name.

    sources = datasets.find_sources("hdtf", folder)
    builder = datasets.builder("hdtf", produce=..., config="small_128", data_dir="data")

A name that begins with "folder_", such as folder_interviews, is one's own folder under a name of its own, so that
several of them can lie in one data folder and be mixed. Likewise portraits_london_set is that set of `portraits` alone.
TensorFlow is loaded for `builder` only.
"""

import functools
import hashlib
import importlib
import os
import pathlib
import re
from collections.abc import Callable
from typing import Any

from data_pipelines.data_set import DataSet
from data_pipelines.prepare.source import Processed, Source
from vasa_jax.errors import UsageError

NAMES = ("grid", "prepared_folder", "voxceleb2", "hdtf", "mead", "celebv_hq", "talkinghead_1kh", "crema_d", "portraits")
OWN = "folder_"
PORTRAITS = "portraits_"
_DRAWN = {
    "procedural_heads": "made of nothing, not prepared; run python -m data_pipelines.synthetic",
    "procedural_twins": "made of nothing, not prepared; run python -m data_pipelines.synthetic --twins",
    "rigged_heads": "drawn, not prepared; run python -m data_pipelines.rigged_heads",
    "rigged_twins": "drawn, not prepared; run python -m data_pipelines.rigged_heads --twins",
}


def own_name(folder: str | os.PathLike) -> str:
    """What to call a data set of one's own that was given no name: "My Videos/", "my-videos.txt" -> folder_my_videos.

    A name of which no letter or digit is left (they may be of another script) becomes a few hexadecimal digits.
    """
    path = pathlib.Path(os.path.abspath(os.path.expanduser(folder)))
    plain = path.stem if path.is_file() else path.name
    name = re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_") or hashlib.sha256(plain.encode()).hexdigest()[:8]
    return name if name.startswith(OWN) else OWN + name


def get(name: str) -> DataSet:
    """The data set of that name.

    Raises:
      UsageError: there is none.
    """
    if name in NAMES:
        return importlib.import_module(f"data_pipelines.{name}.{name}").DATA_SET
    if name.startswith(OWN) and name.isidentifier() and name == name.lower():
        from data_pipelines.prepared_folder import prepared_folder

        return prepared_folder.named(name)
    if name.startswith(PORTRAITS):
        from data_pipelines.portraits import portraits

        return portraits.only(name.removeprefix(PORTRAITS))
    if name in _DRAWN:
        raise UsageError(f"--name={name}: {_DRAWN[name]}")
    raise UsageError(
        f"--name={name}: unknown data set; known: {', '.join(NAMES)}, {OWN}ANYTHING for a folder of yours, "
        f"{PORTRAITS}SET for one set of photographs"
    )


def find_sources(name: str, folder: str | os.PathLike) -> list[Source]:
    """All stretches of video that the folder holds of the data set, in a fixed order, each with its split.

    Raises:
      UsageError: there is no such data set.
      InputError: nothing is there; the message says what to fetch and where to put it.
    """
    return get(name).find_sources(folder)


def builder(name: str, *, produce: Callable[[Source], Processed] | None = None, **kwargs: Any) -> Any:
    """The data set's TFDS builder, a `data_pipelines.prepare.builder.VideoBuilder`.

    Args:
      name: data set.
      produce: source -> its clips; needed to build, not to read.
      **kwargs: of the builder: config, data_dir, `sources` to build from some only, ...

    Raises:
      UsageError: there is no such data set.
    """
    return _builder_class(name)(produce=produce, **kwargs)


@functools.cache
def _builder_class(name: str) -> type:
    data_set = get(name)
    if name in NAMES:
        return importlib.import_module(f"data_pipelines.{name}.{name}_dataset_builder").Builder
    from data_pipelines.prepare.builder import VideoBuilder

    return type("Builder", (VideoBuilder,), {"DATA_SET": data_set}, skip_registration=True)
