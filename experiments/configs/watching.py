"""How a run is kept, guarded and watched, for every stage; the fields are explained in docs/training.md."""

import ml_collections


def add(config: ml_collections.ConfigDict) -> None:
    """Sets the fields at their defaults."""
    config.keep_every = 0
    config.keep_best = ""
    config.guard = {"spike_sigma": 0.0, "patience": 5, "rollbacks": 3}
    config.watchdog = {"dump_seconds": 300.0, "exit_seconds": 1800.0, "factor": 20.0}
    config.profile = {"at": 0, "steps": 5}
