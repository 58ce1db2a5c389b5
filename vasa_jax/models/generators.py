"""The generators by the kind that a configuration names (`config.model.generator.kind`), and what each is given."""

from collections.abc import Mapping
from typing import Any

from vasa_jax.models.aligned_generator import AlignedGenerator
from vasa_jax.models.generator import Generator
from vasa_jax.models.moving_generator import MovingGenerator

GENERATORS = {"full": Generator, "moving": MovingGenerator, "aligned": AlignedGenerator}
"""The paper's, which paints all; the small model's, which moves the source; the one that paints a square about the
face."""

_MOVE_SOURCE = ("moving", "aligned")


def kind_of(generator: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Kind of a configuration's generator, and its options.

    Configurations of before 0.2 name no kind where it is not "aligned"; then `source_skip` says whether it moves the
    source, and options of the moving one stand beside the paper's, switched off.

    Raises:
      ValueError: there is no such generator, or an option that the paper's does not have is on.
    """
    options = dict(generator)
    skip = options.pop("source_skip", None)
    kind = options.pop("kind", None) or ("moving" if skip else "full")
    if kind not in GENERATORS:
        raise ValueError(f"generator.kind is {', '.join(GENERATORS)}, not {kind!r}")
    if kind == "full" and (on := [name for name in ("modulated", "refine") if options.pop(name, False)]):
        raise ValueError(f"generator.{on[0]} is of the kind 'moving': set generator.kind, or leave it out")
    if kind == "moving" and skip:
        options.setdefault("modulated", False)
    return kind, options


def moves_source(generator: Mapping[str, Any]) -> bool:
    """Whether a generator of that configuration moves the source image beside painting."""
    return kind_of(generator)[0] in _MOVE_SOURCE
