"""Set-up: eight virtual CPU devices, chosen before JAX starts, and the recordings that may lie beside a clone.

Annotations are checked, types and ranks are promoted nowhere (docs/development.md). And memory: what a module compiled
and cached is given back once a process holds much.
"""

import ctypes
import functools
import gc
import importlib.metadata
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

os.environ["XLA_FLAGS"] = (os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8").strip()
if importlib.metadata.version("jaxlib").startswith("0.10."):
    # Most of the suite's time is compilation. XLA's older way of writing fused loops takes half as long (the gradient
    # of the face task: 17 processor seconds in place of 37); later versions have only the newer, and abort at the flag.
    os.environ["XLA_FLAGS"] += " --xla_cpu_use_fusion_emitters=false"
# What is compiled runs once or twice: XLA's optimisations cost a third of the suite's time and give little back.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import flax.linen as nn
import jax
import jaxtyping
import optax
import pytest

import tests.annotations  # noqa: F401 (the hook finds it by its name)

jaxtyping.install_import_hook(["vasa_jax", "data_pipelines"], "tests.annotations.checked")

from data_pipelines import requirements  # noqa: E402 (what the hook checks is imported after it)

PLAIN = {
    "jax_numpy_dtype_promotion": "standard",
    "jax_numpy_rank_promotion": "allow",
}
STRICT = {
    "jax_numpy_dtype_promotion": "strict",
    "jax_numpy_rank_promotion": "raise",
}
"""Options of JAX: as users have them, and as the tests run."""


def configure(options: dict[str, Any]) -> None:
    """Of the process: threads of a test would not see what a context changes."""
    for name, value in options.items():
        jax.config.update(name, value)


configure(STRICT)


def promotes(function: Callable) -> Callable:
    """The function under JAX's usual promotion of types."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with jax.numpy_dtype_promotion("standard"):
            return function(*args, **kwargs)

    return call


# Not ours, and meant: of bfloat16 they take statistics, and the softmax, in float32; Adam counts its steps in int32.
for norm in (nn.LayerNorm, nn.GroupNorm):
    norm.__call__ = promotes(norm.__call__)
jax.nn.dot_product_attention = promotes(jax.nn.dot_product_attention)
optax.tree.bias_correction = promotes(optax.tree.bias_correction)

WRITERS = [
    "data_pipelines/prepare/test_builder.py",
    "data_pipelines/synthetic/procedural_heads/test_procedural_heads_dataset_builder.py",
    "data_pipelines/synthetic/test_twins.py",
    "data_pipelines/test_stable_writer.py",
    "experiments/test_prepare.py",
    "experiments/test_prepare_faults.py",
]
"""Tests that write data sets, for which TensorFlow is needed: Python 3.14 has none."""
collect_ignore = [] if requirements.installed("tensorflow") else WRITERS


def pytest_report_header() -> str | None:
    return f"TensorFlow is not installed; left out: {', '.join(collect_ignore)}" if collect_ignore else None


SHARED = Path(__file__).resolve().parents[2] / "shared"


ENOUGH = 3 * 2**29
"""Bytes that a process may hold from one module to the next."""


def resident() -> int:
    """Bytes of memory this process holds; more than any bound where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return sys.maxsize


def give_back(module: ModuleType) -> None:
    """Lets go of what the module's own caches and JAX's hold: images and parameters, compiled programs, traces.

    The allocator keeps freed pages to itself unless it is asked for them.
    """
    for value in vars(module).values():
        if not isinstance(value, ModuleType) and hasattr(value, "cache_clear"):  # some modules import when asked
            value.cache_clear()
    jax.clear_caches()
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's; musl has none
        if trim is not None:
            trim(0)


UNCHECKED = [
    "experiments/planning/test_parts.py",
    "inference/test_live.py",
    "inference/test_motion.py",
    "inference/test_stablehlo.py",
    "models/test_blocks.py",
    "models/test_face_latent.py",
    "models/test_generator.py",
    "models/test_paper_size.py",
    "serve/webrtc_calls.py",
    "training/test_dynamics_task.py",
    "training/test_face_losses.py",
    "training/test_motion_task.py",
    "training/test_partition.py",
    "training/test_pose_task.py",
]
"""Tests that hand over what annotations do not allow, mostly NumPy's arrays where JAX's are promised. Take one from the
list when you touch it."""
OPTIMISED = ["inference/test_live.py", "serve/webrtc_calls.py"]
"""Tests that compare bits of two programs, which XLA rounds alike only where it optimises them as for users."""


@pytest.fixture(scope="module", autouse=True)
def _checks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Everything is checked but in `UNCHECKED`, where JAX promotes as users have it."""
    name = str(request.path.relative_to(Path(__file__).parent))
    hurried, checked = jax.config.read("jax_disable_most_optimizations"), name not in UNCHECKED
    jaxtyping.config.update("jaxtyping_disable", not checked)
    configure((STRICT if checked else PLAIN) | {"jax_disable_most_optimizations": hurried and name not in OPTIMISED})
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
    configure(STRICT | {"jax_disable_most_optimizations": hurried})


@pytest.fixture(scope="module", autouse=True)
def _memory(request: pytest.FixtureRequest) -> Iterator[None]:
    """Programs compile for one module alone, yet JAX keeps them for the whole session: a worker grew to 6 GiB."""
    yield
    if resident() > ENOUGH:
        give_back(request.module)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recordings and videos that may lie beside the clone; skips, saying so, where it does not."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the recordings in {SHARED}, which are not here")
    return SHARED
