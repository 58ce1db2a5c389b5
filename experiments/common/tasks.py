"""What a configuration trains. No flags here: every command may import it."""

from typing import Any

from experiments.common import agreement
from vasa_jax.errors import UsageError


def make_task(config: Any, stats: dict[str, list[float]] | None) -> Any:
    """config.task -> the task value. `stats` standardises motion."""
    if config.task == "face":
        from vasa_jax.training.face_task import make_face_task

        return make_face_task(config)
    if config.task == "motion":
        from vasa_jax.training.motion_task import make_motion_task

        return make_motion_task(config, stats)
    if config.task == "pose":
        from vasa_jax.training.pose_task import make_pose_task

        return make_pose_task(config)
    if config.task == "dynamics":
        from vasa_jax.training.dynamics_task import make_dynamics_task

        return make_dynamics_task(config)
    from vasa_jax.training.generator_task import make_generator_task

    return make_generator_task(config)


def changeable(config: Any) -> Any:
    """A copy to change at will. Configurations that came by a flag are locked, and other parts of a run hold them."""
    config = config.copy_and_resolve_references()
    config.unlock()
    return config


def checked(config: Any) -> Any:
    """The configuration, if it was loaded and can be trained: training and a dry run refuse the same ones."""
    if config is None:
        raise UsageError("--config is missing; for example --config=experiments/configs/face/tiny_64.py")
    for name in ("steps", "batch_size"):
        try:
            value = config[name]
        except OSError as error:  # the flag keeps what failed until the configuration is first used
            raise UsageError(f"--config: {error.__cause__ or error}") from error
        except KeyError:
            raise UsageError(f"the configuration has no field {name}; see experiments/configs/") from None
        if value < 1:
            raise UsageError(f"config.{name} is {value}; it must be at least 1")
    agreement.check(config)
    return config
