"""One description of a training run on many hosts, for every launcher: copy it, fill in what is yours.

Command  vasa-launch --config=experiments/configs/launch/pod.py --kind=gke --config.image=... --output=job.yaml
Status   an example: nothing here has been run on a cluster (docs/pod.md)
"""

import ml_collections


def get_config() -> ml_collections.ConfigDict:
    config = ml_collections.ConfigDict()
    config.name = "vasa-face-512"
    # What is trained: a command of this repository, the same on every host.
    config.train = {
        "config": "experiments/configs/face/vasa_512.py",
        "workdir": "/data/runs/face_512",  # all hosts must see it: a shared file system, or a bucket that is mounted
        "overrides": ("--config.data.dir=/data/sets",),
    }
    config.topology = "v5e:16x16"  # of TPUs, as vasa-plan takes it
    config.restarts = 50  # after preemptions; errors that a restart cannot mend end the job at once
    config.grace_seconds = 120  # between SIGTERM and the end: enough for a checkpoint
    config.slurm = {
        "nodes": 4,
        "tasks_per_node": 8,  # one process for each GPU; 1 gives a process all of them
        "gpus_per_node": 8,
        "cpus_per_task": 12,
        "time": "24:00:00",
        "partition": "",
        "account": "",
        "setup": "source .venv/bin/activate",  # run on every node before training
        "folder": "",  # of the repository on the nodes; the submitting folder if empty
    }
    config.image = "REGION-docker.pkg.dev/PROJECT/vasa/train:latest"  # has this repository as its folder
    config.gke = {
        "namespace": "default",
        "service_account": "",
        "queue": "",
        "claim": "training-data",
        "mount": "/data",
    }
    config.cloud = {"project": "", "zone": "", "cluster": ""}
    config.tpu_vm = {"name": "vasa", "version": "", "folder": "vasa_jax", "spot": False}
    return config
