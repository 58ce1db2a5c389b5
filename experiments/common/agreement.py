"""Fields of a configuration that belong together: derived where nobody gives them, refused where they disagree.

    config.model.window = 60        # the stream cuts windows of 60 frames; nothing else is to be set
    config.data.window = 50         # refused: config.data.window is 50, and the model asks for 60

Training, a dry run and vasa-plan ask here before anything is compiled or opened. What is slow to import is so inside of
the functions: `--help` reads this module.
"""

from typing import Any

from vasa_jax import conditions
from vasa_jax.errors import UsageError

KINDS = {"face": "pairs", "pose": "pairs", "dynamics": "pairs", "generator": "generator", "motion": "windows"}
"""Task -> kind of batch that it trains on."""


def check(config: Any) -> None:
    """Raises UsageError, naming both fields, where the configuration contradicts itself."""
    from data_pipelines import schema
    from vasa_jax.training.partition import accumulation

    if config.get("task") not in KINDS:
        *most, last = map(repr, KINDS)
        raise UsageError(f"config.task is {config.get('task')!r}; use {', '.join(most)} or {last}")
    if config.task == "motion":
        _check_motion(config)
    accumulation(config)
    data = config.get("data") or {}
    for name, wanted in data_options(config).items():
        given = data.get(name, wanted)
        given = tuple(given) if isinstance(wanted, tuple) else given
        if given != wanted:
            raise UsageError(f"config.data.{name} is {given!r}, and the model asks for {wanted!r}; leave it out")
    if (named := data.get("config")) and "size" in data_options(config):
        stored = schema.RESOLUTIONS.get(named)
        if stored != config.model.size:
            raise UsageError(f"config.data.config is {named!r}, and config.model.size {config.model.size}; change one")


def data_options(config: Any) -> dict[str, Any]:
    """Options of the clip stream that the task and the model decide."""
    options: dict[str, Any] = {"kind": KINDS[config.task]}
    if config.task == "motion":
        model = motion_config(config)
        options |= {"previous": model.context, "window": model.window}
        return options | {"tracks": model.per_frame, "told": model.conditions}
    if options["kind"] == "pairs":
        from data_pipelines import schema

        options["size"] = schema.stored_size(config.model.size)
    return options


def motion_config(config: Any) -> Any:
    """config.model as the motion model takes it.

    Raises:
      UsageError: it does not.
    """
    from vasa_jax.models.motion_transformer import MotionConfig

    try:
        return MotionConfig.create(config.model)
    except (TypeError, ValueError) as error:
        raise UsageError(f"config.model: {str(error).removeprefix('MotionConfig.__init__() ')}") from None


def check_motion_width(config: Any, stream: Any) -> None:
    """Raises UsageError where a latents cache of the stream has motion of another width than the model."""
    for source in getattr(stream, "sources", ()):
        width = source.arrays["motion"].shape[1]
        if width != config.model.motion_dim:
            raise UsageError(
                f"config.model.motion_dim is {config.model.motion_dim}, and the latents in {config.data.dir} have "
                f"{width} values a frame (7 of the pose, then the face model's dynamics); change it, or the latents"
            )


def _check_motion(config: Any) -> None:
    from vasa_jax.models.audio import front_end

    model, path = motion_config(config), config.get("speech_model", "")
    if not path or model.speech == "mel":  # else it is opened to be looked at, later
        front_end.open_for(model, path, "--config.speech_model")
    known = [condition.name for condition in conditions.CONDITIONS]
    drop = (config.get("loss") or {}).get("drop") or {}
    for name in drop:
        if name not in known:
            raise UsageError(f"config.loss.drop.{name}: no condition is called so; there are {', '.join(known)}")
