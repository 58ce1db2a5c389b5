"""Share of a device's peak that training reaches (MFU): the model's operations, never those that XLA adds."""

from collections.abc import Callable

import jax

from vasa_jax.training.goodput import Ledger

PEAKS = {
    "TPU v2": 23e12,
    "TPU v3": 61.5e12,
    "TPU v4": 275e12,
    "TPU v5 lite": 197e12,
    "TPU v5e": 197e12,
    "TPU v5": 459e12,
    "TPU v5p": 459e12,
    "TPU v6 lite": 918e12,
    "TPU v6e": 918e12,
    "TPU7x": 1153.5e12,
    "Tesla T4": 65e12,
    "NVIDIA A100": 312e12,
    "NVIDIA A10": 125e12,
    "NVIDIA L4": 121e12,
    "NVIDIA L40S": 362e12,
    "NVIDIA GeForce RTX 4090": 165e12,
    "NVIDIA H100 PCIe": 756e12,
    "NVIDIA H100": 989e12,
    "NVIDIA H200": 989e12,
    "NVIDIA B200": 2250e12,
}
"""Dense bfloat16 (T4: float16) operations a second of one JAX device, by the beginning of its `device_kind`, longest
match first. From the makers' data sheets, without sparsity: cloud.google.com/tpu/docs (one device is a core on v2, v3
and TPU7x, a chip on the others), nvidia.com data sheets (4090: with float32 accumulation). CPUs have no sheet: none."""


def peak(kind: str) -> float | None:
    """Peak of a device kind, or None if it is not in the table."""
    known = max((name for name in PEAKS if kind.startswith(name)), key=len, default=None)
    return PEAKS[known] if known else None


class Utilisation:
    """{"mfu": ...} from a step's operations and its median time, where both and the peak are known.

    Args:
      operations: counts the operations of one step over all devices; called once, because it traces the step.
    """

    def __init__(self, operations: Callable[[], int] | None, say: Callable[[str], None]):
        device = jax.devices()[0]
        self.peak = peak(device.device_kind)
        self.operations = operations if self.peak else None
        self.count: int | None = None
        if operations and device.platform != "cpu" and not self.peak:
            say(f"no MFU: the peak of {device.device_kind!r} is not in vasa_jax/training/peaks.py")

    def __call__(self, seconds: float | None, ledger: Ledger) -> dict[str, float]:
        """Share of the peak of all devices, in 0..1, for steps of that many seconds."""
        if self.operations is None or self.peak is None or not seconds:
            return {}
        if self.count is None:
            with ledger.on("compile"):
                self.count = self.operations()
        return {"mfu": self.count / seconds / (self.peak * jax.device_count())}
