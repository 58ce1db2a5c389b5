"""Machines by name."""

import pytest

from experiments.planning import topology
from vasa_jax.errors import UsageError


@pytest.mark.parametrize(
    ("name", "chips", "devices"),
    [("v5e:16x16", 256, 256), ("v5p:8x8x8", 512, 512), ("tpu7x:4x4x4", 64, 128), ("v6e", 1, 1), ("cpu:8", 8, 8)],
)
def test_a_name_tells_chips_and_devices(name, chips, devices):
    machine = topology.parse(name)
    assert (machine.chips, machine.count) == (chips, devices)


@pytest.mark.parametrize("name", ["v9x:2x2", "v5e", "v5e:", "v5e:16", "v5p:8x8", "cpu:2x4", "v5e:0x4", "v5e:axb", ""])
def test_a_name_that_is_none_is_refused(name):
    if name == "v5e":
        assert topology.parse(name).one_host.name == "v5e:2x4"
        return
    with pytest.raises(UsageError, match="--topology="):
        topology.parse(name)


def test_devices_of_this_machine():
    assert len(topology.parse("cpu:8").devices()) == 8 and topology.parse("cpu:2").memory_of_device > 0
    with pytest.raises(UsageError, match="xla_force_host_platform_device_count=16"):
        topology.parse("cpu:16").devices()
