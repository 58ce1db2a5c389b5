"""Compiler settings that were measured to matter."""

import os

import jaxlib

_YNN = "--xla_cpu_experimental_ynn_fusion_type"


def tune_cpu() -> None:
    """Keeps XLA:CPU from handing convolutions and reductions to YNNPACK; call before the first computation.

    With jaxlib 0.10.2 that halves the speed of a stage-1 train step on two cores (1.89 s against 1.16 s, same machine,
    same minute). Other releases may not know the flag, and XLA aborts on flags that it does not know, so nothing
    is set there; a value that the user set wins.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if jaxlib.__version__.startswith("0.10.") and _YNN not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {_YNN}=".strip()
