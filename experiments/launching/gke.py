"""A JobSet for Google Kubernetes Engine: one pod for each machine of a TPU slice."""

from typing import Any

import yaml

from experiments.launching import job

_HEAD = "# Written by vasa-launch. Needs JobSet in the cluster (jobset.sigs.k8s.io, 0.6 or later).\n"


def manifest(config: Any) -> str:
    """The manifest as YAML."""
    return _HEAD + yaml.safe_dump(job_set(config), sort_keys=False, width=110)


def job_set(config: Any) -> dict[str, Any]:
    """The JobSet as a mapping.

    A pod that ends with 42 (saved, run me again) or is evicted fails its job, and the set starts again, all pods
    together, at most config.restarts times. Exit codes that another run would repeat end the set.
    """
    kind, machine = job.tpu(config)
    pods = machine.chips // kind.vm_chips
    again = {"action": "FailJob", "onExitCodes": {"containerName": "train", "operator": "In", "values": [*job.NEVER]}}
    template = {
        "backoffLimit": 0,
        "completionMode": "Indexed",
        "parallelism": pods,
        "completions": pods,
        "podFailurePolicy": {"rules": [again]},
        "template": {"spec": _pod(config, kind, "x".join(map(str, machine.shape)))},
    }
    metadata: dict[str, Any] = {"name": config.name, "namespace": config.gke.namespace}
    # A set shares its slice with nothing else.
    metadata["annotations"] = {"alpha.jobset.sigs.k8s.io/exclusive-topology": "cloud.google.com/gke-nodepool"}
    if config.gke.queue:
        metadata["labels"] = {"kueue.x-k8s.io/queue-name": config.gke.queue}
    hopeless = {"action": "FailJobSet", "onJobFailureReasons": ["PodFailurePolicy"]}
    return {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": metadata,
        "spec": {
            "failurePolicy": {"maxRestarts": config.restarts, "rules": [hopeless]},
            "replicatedJobs": [{"name": "slice", "replicas": 1, "template": {"spec": template}}],
        },
    }


def _pod(config: Any, kind: job.Tpu, shape: str) -> dict[str, Any]:
    chips = {"google.com/tpu": kind.vm_chips}
    container: dict[str, Any] = {
        "name": "train",
        "image": config.image,
        # GKE tells each pod its number and its neighbours; the training finds them there.
        "command": job.words(config),
        "ports": [{"containerPort": 8471}, {"containerPort": 8080}],
        "resources": {"requests": dict(chips), "limits": dict(chips)},
    }
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": config.grace_seconds,
        "nodeSelector": {
            "cloud.google.com/gke-tpu-accelerator": kind.label,
            "cloud.google.com/gke-tpu-topology": shape,
        },
    }
    if config.gke.service_account:
        pod["serviceAccountName"] = config.gke.service_account
    if config.gke.claim:
        container["volumeMounts"] = [{"name": "data", "mountPath": config.gke.mount}]
        pod["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": config.gke.claim}}]
    return {**pod, "containers": [container]}
