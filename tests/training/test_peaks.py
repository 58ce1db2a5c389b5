"""Share of the peak: by the model's operations, only where the peak is known."""

import jax
import pytest

from vasa_jax.training import peaks
from vasa_jax.training.goodput import Ledger


def test_the_longest_name_wins_and_what_is_unknown_has_no_peak():
    assert peaks.peak("NVIDIA H100 80GB HBM3") == 989e12 and peaks.peak("NVIDIA H100 PCIe") == 756e12
    assert peaks.peak("TPU v5 lite") == 197e12 and peaks.peak("TPU v5p") == 459e12 and peaks.peak("TPU v5") == 459e12
    assert peaks.peak("cpu") is None and peaks.peak("NVIDIA Z9") is None


def test_operations_are_counted_once(monkeypatch):
    monkeypatch.setattr(peaks, "peak", lambda kind: 1e12)
    counted = []
    used = peaks.Utilisation(lambda: counted.append(1) or int(4e12), print)
    ledger = Ledger()
    assert used(None, ledger) == {} and not counted
    assert used(2.0, ledger) == {"mfu": pytest.approx(2.0 / jax.device_count())}
    assert used(4.0, ledger)["mfu"] == pytest.approx(1.0 / jax.device_count()) and len(counted) == 1


def test_no_count_where_there_is_no_peak():
    def never():
        raise AssertionError("tracing takes seconds")

    assert peaks.Utilisation(never, print)(1.0, Ledger()) == {}
    assert peaks.Utilisation(None, print)(1.0, Ledger()) == {}
