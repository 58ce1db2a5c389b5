"""An open JAX/Flax implementation of VASA-1: lifelike talking faces from one portrait and one recording."""

from typing import Any

__all__ = ["TalkingFace"]


def __getattr__(name: str) -> Any:
    """`TalkingFace` is imported when asked for, so that light parts of the package stay light."""
    if name == "TalkingFace":
        from vasa_jax.inference.talking_face import TalkingFace

        return TalkingFace
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
