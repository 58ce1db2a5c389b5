"""Test set-up: eight virtual CPU devices, chosen before JAX starts."""

import os
from pathlib import Path

os.environ["XLA_FLAGS"] = (os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8").strip()
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import jax  # noqa: E402
import pytest  # noqa: E402

jax.config.update("jax_numpy_rank_promotion", "allow")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared():
    """The folder of recordings and videos that may lie beside the clone; skips where it does not."""
    if not SHARED.is_dir():
        print(f"skipped: {SHARED} is not here; this test needs its recordings")
        pytest.skip(f"{SHARED} is not here")
    return SHARED
