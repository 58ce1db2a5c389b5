"""Set-up: eight virtual CPU devices, chosen before JAX starts, and the recordings that may lie beside a clone."""

import os
from pathlib import Path

os.environ["XLA_FLAGS"] = (os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8").strip()
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recordings and videos that may lie beside the clone; skips, saying so, where it does not."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the recordings in {SHARED}, which are not here")
    return SHARED
