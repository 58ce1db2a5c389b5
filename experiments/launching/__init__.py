"""vasa-launch's parts: one description of a run, written for SLURM, GKE, XPK and TPU VMs."""
