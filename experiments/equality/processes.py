"""Several processes on this machine that train together, as hosts do, exchanging over gloo."""

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


def together(
    command: Sequence[str],
    count: int,
    *,
    devices: int,
    environment: dict[str, str] | None = None,
    timeout: float = 3600,
) -> list[str]:
    """Runs a command as `count` processes with `devices` virtual devices in all; what each of them said.

    Args:
      command: words after the interpreter.
      environment: said to each process beside where to meet; "{process}" in a value becomes its number.

    Raises:
      RuntimeError: one of them failed; with the end of what it said.
    """
    port = free_port()
    meeting = environment or {
        "JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{port}",
        "JAX_NUM_PROCESSES": str(count),
        "JAX_PROCESS_ID": "{process}",
    }
    # Without LLVM's optimisations: every process compiles everything, for a few steps of tiny models.
    flags = f"--xla_force_host_platform_device_count={devices // count} --xla_backend_optimization_level=0"
    children = []
    for process in range(count):
        own = {name: value.format(process=process, port=port) for name, value in meeting.items()}
        env = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags, **own}
        words = [sys.executable, *command]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        children.append(subprocess.Popen(words, env=env, cwd=Path(__file__).resolve().parents[2], **pipes))
    try:
        said = [child.communicate(timeout=timeout)[0] for child in children]
    finally:
        for child in children:
            child.kill()
    for process, (child, text) in enumerate(zip(children, said)):
        if child.returncode:
            raise RuntimeError(f"process {process} of {count} ended with {child.returncode}: {text[-2000:]}")
    return said
