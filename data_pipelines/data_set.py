"""What is known of a data set before looking at it: how its files lie, whose they are, what may be done with them.

Neither TensorFlow nor a face tracker is needed to ask.
"""

import dataclasses
import os
import pathlib
from collections.abc import Callable

from data_pipelines.prepare.source import Source
from vasa_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class DataSet:
    """A data set of talking heads.

    Attributes:
      name: of the TFDS builder and of `--name`.
      title: as people call it.
      find: looks for the videos in a folder that is there; [] if there is none.
      description: what it holds and how it is split; goes into the metadata of what is built.
      fetch: a sentence that says where to get it.
      layout: the files that the folder must hold.
      size: how much there is.
      license: under which terms. Those of the recordings, not of this code.
      non_commercial: whether the terms forbid commercial use, of models trained on it too.
      homepage, citation: where it lives, and its BibTeX.
      takes_list: whether `find` also takes a text file that lists videos.
    """

    name: str
    title: str
    find: Callable[[pathlib.Path], list[Source]]
    description: str
    fetch: str
    layout: str
    size: str
    license: str
    non_commercial: bool
    homepage: str
    citation: str = ""
    takes_list: bool = False

    @property
    def instructions(self) -> str:
        """What to fetch, where to put it, and what may be done with it."""
        return f"{self.fetch} Then give as --input the folder that holds {self.layout}. Licence: {self.license}"

    def missing(self, folder: str | os.PathLike, what: str) -> InputError:
        """The error to raise when something is not there: what, and how to get it."""
        return InputError(f"{folder}: {what}; for {self.title} it must hold {self.layout}. {self.fetch}")

    def find_sources(self, folder: str | os.PathLike) -> list[Source]:
        """All that the folder holds of the data set, in a fixed order, each with its split.

        Raises:
          InputError: no such folder, nothing of the data set in it, or a list of its files is missing or damaged.
        """
        root = pathlib.Path(folder).expanduser()
        if not root.is_dir() and not (self.takes_list and root.is_file()):
            raise self.missing(folder, "no such folder")
        sources = self.find(root)
        if not sources:
            raise self.missing(folder, "no video found")
        paths: dict[str, pathlib.Path] = {}
        for source in sources:
            if source.name in paths:
                other = paths[source.name]
                raise InputError(f"{source.path}: named {source.name} like {other}; rename or remove one of them")
            paths[source.name] = source.path
        return sources
