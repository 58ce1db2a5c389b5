"""Processes find each other by what flags and environments say, and several train what one trains."""

import socket
from unittest import mock

import jax
import numpy as np
import pytest

from experiments.equality import course, processes
from experiments.equality.cases import Case
from tests.training import toy
from vasa_jax.errors import UsageError
from vasa_jax.training import distributed
from vasa_jax.training.distributed import Group
from vasa_jax.training.partition import MeshPartitioner

# As on two hosts of four tasks each; of the second host's third task.
SLURM = {
    "SLURM_JOB_ID": "70001", "SLURM_NTASKS": "8", "SLURM_PROCID": "6", "SLURM_LOCALID": "2",
    "SLURM_STEP_NODELIST": "gpu[07-08]", "SLURM_STEP_TASKS_PER_NODE": "4(x2)",
}  # fmt: skip


def test_a_process_alone_is_told_by_nothing():
    assert distributed.find({}) is None
    assert distributed.find({"SLURM_NTASKS": "1", "SLURM_PROCID": "0"}) is None
    assert distributed.find({"TPU_WORKER_HOSTNAMES": "localhost"}) is None
    assert distributed.find(SLURM, kind="off") is None


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (SLURM, Group("slurm", f"gpu07:{12321 + 70001 % 4096}", 8, 6, local=2)),
        ({**SLURM, "CUDA_VISIBLE_DEVICES": "0"}, Group("slurm", f"gpu07:{12321 + 70001 % 4096}", 8, 6)),
        (
            {**SLURM, "SLURM_STEP_NODELIST": "a1,b2", "SLURM_STEP_TASKS_PER_NODE": "1(x8)"},
            Group("slurm", f"a1:{12321 + 70001 % 4096}", 8, 6),
        ),
        (
            {"JAX_COORDINATOR_ADDRESS": "h:1", "JAX_NUM_PROCESSES": "4", "JOB_COMPLETION_INDEX": "3"},
            Group("variables", "h:1", 4, 3),
        ),
        ({"TPU_WORKER_HOSTNAMES": "t0,t1", "TPU_WORKER_ID": "1"}, Group("tpu", "", 0, 0)),
    ],
)
def test_environments(environment, expected):
    assert distributed.find(environment) == expected


def test_flags_win_over_environments():
    group = distributed.find(SLURM, coordinator="here:5", count=2, process=1)
    assert group == Group("flags", "here:5", 2, 1)
    assert distributed.find({}, kind="tpu").source == "tpu"


@pytest.mark.parametrize(
    ("environment", "said", "words"),
    [
        ({}, {"count": 2, "process": 0}, "give HOST:PORT"),
        ({}, {"coordinator": "h:1", "count": 2, "process": 2}, "process 2 of 2"),
        ({}, {"coordinator": "h:1", "count": 2}, "process -1 of 2"),
        ({"JAX_COORDINATOR_ADDRESS": "h:1", "JAX_NUM_PROCESSES": "two"}, {}, "process -1 of -1"),
        ({**SLURM, "SLURM_STEP_NODELIST": ""}, {}, "start the command with srun"),
        ({}, {"kind": "mpi"}, "--distributed=mpi"),
    ],
)
def test_half_of_it_is_refused(environment, said, words):
    with pytest.raises(UsageError, match=words):
        distributed.find(environment, **said)


@pytest.mark.parametrize(
    ("nodes", "host"), [("tpu[03-05,9],x", "tpu03"), ("n1,n2", "n1"), ("solo", "solo"), ("r[1,3]-ib", "r1-ib")]
)
def test_the_first_host_of_a_slurm_list(nodes, host):
    assert distributed.first_host(nodes) == host


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (None, "127.0.0.1"),  # it does not know its own name
        (["127.0.0.1"], None),
        (["127.0.1.1"], "127.0.0.1"),  # as Debian writes /etc/hosts; others do not find it there
        (["10.0.0.7"], None),
    ],
)
def test_where_a_host_is_found_by_the_others(names, expected, monkeypatch):
    real = socket.getaddrinfo

    def resolve(name, *rest, **more):
        if name != "me":
            return real(name, *rest, **more)
        if names is None:
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, 0, 0, "", (address, 0)) for address in names]

    monkeypatch.setattr(socket, "gethostname", lambda: "me")
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert distributed.own_address("127.0.0.1:12321") == expected


@pytest.mark.parametrize(("count", "layout"), [(2, "data"), pytest.param(4, "fsdp", marks=pytest.mark.slow)])
@pytest.mark.heavy
def test_processes_train_what_one_process_trains(count, layout, tmp_path):
    path = tmp_path / "course.npz"
    said = processes.together(["-m", "tests.training.distributed_child", str(path), layout], count, devices=8)
    assert f"process {count - 1} of {count}, {8 // count} devices of its own" in said[-1]
    alone = MeshPartitioner({"data": 1}, devices=jax.devices()[:1])
    expected = course.train(Case(toy.config(), toy.make(), toy.batch), alone, 5)
    found = course.Course.load(path)
    # Sums in another order, and Adam's division where a gradient is nearly zero (tests/training/test_partition.py).
    np.testing.assert_allclose(found.losses, expected.losses, rtol=2e-5)
    for name, leaf in expected.params.items():
        np.testing.assert_allclose(found.params[name], leaf, atol=2e-4)


def test_a_layout_that_hosts_cannot_share_is_refused():
    devices = [mock.Mock(spec=jax.Device, process_index=host) for host in (0, 0, 1, 1)]
    with pytest.raises(UsageError, match="2 hosts cannot share"):
        MeshPartitioner({"data": 1, "tensor": 4}, devices=devices)
