"""Pages of the house: one style, and texts that are filled in."""

import importlib.resources
import string
from collections.abc import Mapping


def fill(package: str, name: str, fields: Mapping[str, object]) -> str:
    """The template `name` that lies in `package`, with $house (the style that all pages share) and the fields.

    Args:
      package: for instance "vasa_jax.report".
      name: file name of the template.
      fields: name -> what stands there, HTML already.
    """
    style = importlib.resources.files("vasa_jax.report").joinpath("house.css").read_text(encoding="utf-8")
    text = importlib.resources.files(package).joinpath(name).read_text(encoding="utf-8")
    return string.Template(text).substitute(house=style, **fields)
