"""Stage 2 as a task: the motion transformer learns to remove noise from standardised motion, given the conditions.

Plain x0 mean squared error, as in the paper (section 3.3). Every random choice of an example comes from its global
index in the batch, so a mesh and pmap see the same example.
"""

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from jaxtyping import Array, Bool, Float, Key, PRNGKeyArray

from vasa_jax import conditions as table
from vasa_jax.diffusion import schedule
from vasa_jax.models.audio import augment, front_end, log_mel
from vasa_jax.models.audio.log_mel import LogMel
from vasa_jax.models.audio.protocol import FrontEnd
from vasa_jax.models.motion_sampling import sample_window
from vasa_jax.models.motion_transformer import MotionConditions, MotionConfig, MotionTransformer, init_params
from vasa_jax.training.task import NETWORKS, Batch, Metrics, Params, Task, example_keys

PLAYER = "motion"
# Frames this far below the speech level count as a pause; what is next to speech already moves the mouth.
_PAUSE_BELOW = 30.0
_PAUSE_MARGIN = (2, 4)
_EVALUATION_TIMES = (0.1, 0.3, 0.5, 0.7, 0.9)
_EVALUATION_STEPS = 10
_PIXELS = 4  # of a value in the image
_LAGS = range(-2, 3)


def default_loss() -> ml_collections.ConfigDict:
    """Weights and probabilities of stage 2; a config changes what it names.

    drop: chance that a condition is null (paper: 0.1, and 0.5 for the previous window and its audio).
    tail_*: chance and largest number of last frames whose audio is unheard (paper: "last few frames").
    previous_noise: largest standard deviation of the noise on the previous motion, against drift.
    mouth: weight of the error of the mouth as a linear readout sees it; velocity: of the frame differences.
    """
    return ml_collections.ConfigDict(
        {
            "drop": {condition.name: condition.drop for condition in table.CONDITIONS},
            "tail_probability": 0.3,
            "tail_frames": 10,
            "previous_noise": 0.1,
            "mouth": 0.0,
            "velocity": 0.0,
            "augment": {},
        }
    )


def fit_mouth_readout(
    motion: Float[np.ndarray, "n m"], opening: Float[np.ndarray, "n"], ridge: float = 1e-2
) -> Float[np.ndarray, "m"]:
    """Linear readout of the standardised mouth opening from standardised motion (ridge regression)."""
    target = (opening - opening.mean()) / max(float(opening.std()), 1e-6)
    gram = motion.T @ motion / len(motion) + ridge * np.eye(motion.shape[1])
    return np.linalg.solve(gram, motion.T @ target / len(motion)).astype(np.float32)


def statistics(batches: Iterable[Mapping[str, np.ndarray]]) -> dict[str, list[float]]:
    """What `make_motion_task` and MotionGenerator standardise with, from windows of raw motion.

    Returns lists (for JSON): "mean", "std", "low" and "high" (the range of the data, widened by half a standard
    deviation) per value of the motion; "mouth_readout" where the batches have "mouth".
    """
    motion, opening = [], []
    for batch in batches:
        there = np.asarray(batch["valid"], bool)
        motion.append(np.asarray(batch["motion"], np.float64)[there])
        if "mouth" in batch:
            opening.append(np.asarray(batch["mouth"], np.float64)[..., 0][there])
    rows = np.concatenate(motion)
    mean, std = rows.mean(0), np.maximum(rows.std(0), 1e-4)
    low, high = np.percentile(rows, (0.05, 99.95), axis=0)
    stats = {"mean": mean, "std": std, "low": low - 0.5 * std, "high": high + 0.5 * std}
    if opening:
        stats["mouth_readout"] = fit_mouth_readout((rows - mean) / std, np.concatenate(opening))
    return {name: value.tolist() for name, value in stats.items()}


def silent_frames(power: Float[Array, "s bands"], level: Float[Array, ""]) -> Bool[Array, "t"]:
    """Frames of a pause, without those next to speech."""
    energy = 10.0 * jnp.log10(power.sum(-1) + 1e-10).reshape(-1, log_mel.STEPS_PER_FRAME).max(-1)
    loud = energy > level - _PAUSE_BELOW
    after, before = _PAUSE_MARGIN
    padded = jnp.pad(loud, (after, before))
    return ~jnp.stack([padded[i : i + loud.shape[0]] for i in range(after + before + 1)]).any(0)


def change_correlation(
    sampled: Float[Array, "b t"], real: Float[Array, "b t"], valid: Bool[Array | np.ndarray, "b t"]
) -> Float[Array, ""]:
    """Correlation of frame-to-frame changes, best lag within two frames, mean over the examples."""
    sampled, real = jnp.diff(sampled), jnp.diff(real)
    both = (valid[:, 1:] & valid[:, :-1]).astype(sampled.dtype)

    def at(lag: int) -> Float[Array, "b"]:
        n = sampled.shape[1]
        a, b = sampled[:, max(lag, 0) : n + min(lag, 0)], real[:, max(-lag, 0) : n + min(-lag, 0)]
        w = both[:, max(lag, 0) : n + min(lag, 0)] * both[:, max(-lag, 0) : n + min(-lag, 0)]
        total = jnp.maximum(w.sum(1, keepdims=True), 1.0)
        a, b = ((x - (x * w).sum(1, keepdims=True) / total) * w for x in (a, b))
        return (a * b).sum(1) / jnp.sqrt(jnp.square(a).sum(1) * jnp.square(b).sum(1) + 1e-12)

    return jnp.stack([at(lag) for lag in _LAGS]).max(0).mean()


def _no_floor(batch: Batch) -> Float[Array, "b"]:
    """Windows of training have none before them whose level could be carried on."""
    return jnp.full(batch["audio"].shape[:1], -jnp.inf)


class _MotionTask:
    """The functions of the task; one object so that they share config and statistics."""

    def __init__(self, config: ml_collections.ConfigDict, stats: Mapping[str, Any]) -> None:
        self.model_config = MotionConfig.create(config.model)
        self.model = MotionTransformer(self.model_config)
        self.speech = front_end.open_for(self.model_config, config.get("speech_model", ""), "--config.speech_model")
        self.loss_config = default_loss()
        self.loss_config.update(config.get("loss", {}))
        self.augment = augment.AugmentConfig.create(self.loss_config.augment)
        self.mean, self.std = (np.asarray(stats[name], np.float32) for name in ("mean", "std"))
        readout = stats.get("mouth_readout")
        self.readout = None if readout is None else np.asarray(readout, np.float32)
        if self.mean.shape != (self.model_config.motion_dim,):
            raise ValueError(f"statistics of {self.mean.shape[0]} values for a model of {self.model_config.motion_dim}")

    def init(self, rng: PRNGKeyArray, batch: Batch) -> Params:
        return {PLAYER: init_params(self.model_config, rng)}

    def plain(self, batch: Batch, speech: FrontEnd) -> tuple[MotionConditions, Float[Array, "b w m"]]:
        """Conditions and clean window of a batch as it is, heard as at inference."""
        motion = (batch["motion"] - self.mean[None, None]) / self.std[None, None]
        audio, _ = speech.features(batch["audio"], batch["valid"], _no_floor(batch))
        return self._pack(batch, audio, batch["valid"], motion)

    def varied(
        self, batch: Batch, keys: Key[Array, "b"], speech: FrontEnd
    ) -> tuple[MotionConditions, Float[Array, "b w m"], dict[str, Bool[Array, "b"]]]:
        """The same after augmentation, and which conditions are null."""
        c = self.model_config
        power = log_mel.mel_power(batch["audio"], c.bands)
        motion = (batch["motion"] - self.mean[None, None]) / self.std[None, None]
        one = jax.vmap(functools.partial(self._vary, self.loss_config))
        played, audio, audio_mask, valid, motion, previous, drop = one(keys, power, motion, batch["valid"])
        if not isinstance(speech, LogMel):
            # The foreign voices are made of mel power; a pretrained model has heard thousands of real ones.
            waveform = batch["audio"].reshape(*played.shape, log_mel.SAMPLES_PER_FRAME)
            waveform = jnp.take_along_axis(waveform, played[..., None], 1).reshape(batch["audio"].shape)
            audio, _ = speech.features(waveform, audio_mask & valid, _no_floor(batch))
        batch = {**batch, "valid": valid}
        if c.per_frame:
            batch["tracks"] = jnp.take_along_axis(batch["tracks"], played[..., None], 1)
        conditions, clean = self._pack(batch, audio, audio_mask & valid, motion)
        return conditions.replace(previous=previous), clean, drop

    def _pack(
        self, batch: Batch, audio: Array, audio_mask: Array, motion: Float[Array, "b t m"]
    ) -> tuple[MotionConditions, Float[Array, "b w m"]]:
        k = self.model_config.context
        conditions = MotionConditions(
            audio=audio, audio_mask=audio_mask, previous=motion[:, :k], valid=batch["valid"], told=self._told(batch)
        )
        return conditions, motion[:, k:]

    def _told(self, batch: Batch) -> dict[str, Float[Array | np.ndarray, "b *t"]]:
        """What the model is told: of the window, or of every frame where it is told that."""
        c = self.model_config
        if not c.per_frame:
            return {one.name: batch[one.name].reshape(-1, *one.shape) for one in c.told}
        tracks = {name: batch["tracks"][..., at] for name, at in table.split(c.conditions).items()}
        return {one.name: tracks[one.name] if one.shape else tracks[one.name][..., 0] for one in c.told}

    def _vary(self, loss: Any, key: PRNGKeyArray, power: Array, motion: Array, valid: Array) -> tuple:
        """One example: pause, foreign voice, unheard tail, null conditions, noise on the context."""
        c = self.model_config
        draw_key, pause_key, voice_key, noise_key = jax.random.split(key, 4)
        draws = jax.random.uniform(draw_key, (4 + len(c.guided),))
        level = log_mel.heard_level(power, valid, -jnp.inf)
        played = augment.lengthen_pause(pause_key, silent_frames(power, level) & valid)
        played = jnp.where(draws[0] < self.augment.pause_probability, played, jnp.arange(c.frames))
        power = power.reshape(c.frames, log_mel.STEPS_PER_FRAME, c.bands)[played].reshape(power.shape)
        tail = 1 + jnp.floor(draws[1] * loss.tail_frames).astype(jnp.int32)
        tail = jnp.where(draws[2] < loss.tail_probability, tail, 0)
        drop = {name: draw < loss.drop[name] for name, draw in zip(c.guided, draws[4:], strict=True)}
        index = np.arange(c.frames)
        # Audio before a first window does not exist: the encoder must not hear it around the corner.
        audio_mask = (index < c.frames - tail) & ~(drop["previous"] & (index < c.context))
        # As at inference the level is that of what is heard, to the 7.5 ms that a step sees of its neighbour.
        level = log_mel.heard_level(power, audio_mask & valid[played], -jnp.inf)
        power, level = augment.augment(voice_key, power, level, self.augment)
        motion = motion[played]
        spread = loss.previous_noise * draws[3]
        previous = motion[: c.context] + spread * jax.random.normal(noise_key, (c.context, c.motion_dim))
        audio = log_mel.features(power, level)
        return played, audio, audio_mask, valid[played], motion, previous, drop

    def loss(
        self, params: Params, batch: Batch, rng: PRNGKeyArray, step: Array, carry: dict[str, Any]
    ) -> tuple[Array, tuple[Metrics, dict[str, Any]]]:
        vary_key, timestep_key, noise_key = jax.random.split(rng, 3)
        conditions, clean, drop = self.varied(batch, example_keys(vary_key, batch["index"]), params[NETWORKS]["speech"])
        timestep = jax.vmap(lambda k: schedule.draw_timestep(k, self.model_config.diffusion_steps))(
            example_keys(timestep_key, batch["index"])
        )
        noise = jax.vmap(lambda k: jax.random.normal(k, clean.shape[1:]))(example_keys(noise_key, batch["index"]))
        noisy = schedule.add_noise(clean, noise, timestep, self.model_config.diffusion_steps)
        prediction = self.model.apply({"params": params[PLAYER]}, noisy, timestep, conditions, drop)
        metrics = self._errors(prediction - clean, conditions.valid[:, self.model_config.context :])
        total = metrics["x0"]
        for name in ("mouth", "velocity"):
            if self.loss_config[name] and name in metrics:
                total = total + self.loss_config[name] * metrics[name]
        return total, (metrics, carry)

    def _errors(self, error: Float[Array, "b w m"], valid: Bool[Array | np.ndarray, "b w"]) -> Metrics:
        """Mean squares over the existing frames of each example, then over examples (equal on any split of a batch)."""

        def mean(squares: Float[Array, "b w c"], mask: Bool[Array | np.ndarray, "b w"]) -> Float[Array, ""]:
            counts = mask.astype(jnp.float32)
            share = counts / jnp.maximum(counts.sum(1, keepdims=True), 1.0)
            return (squares.mean(-1) * share).sum(1).mean()

        metrics = {
            "x0": mean(jnp.square(error), valid),
            "x0_pose": mean(jnp.square(error[..., :7]), valid),
            "x0_dynamics": mean(jnp.square(error[..., 7:]), valid),
            "velocity": mean(jnp.square(jnp.diff(error, axis=1)), valid[:, 1:] & valid[:, :-1]),
        }
        if self.readout is not None:
            metrics["mouth"] = mean(jnp.square(error @ self.readout[:, None]), valid)
        return metrics

    def evaluate(self, params: Params, batch: Batch, rng: PRNGKeyArray) -> Metrics:
        """Held-out x0 error at fixed times (a fixed noise per example), and what ten steps make of the audio."""
        c = self.model_config
        conditions, clean = self.plain(batch, params[NETWORKS]["speech"])
        keys = example_keys(rng, batch["index"])
        noise = jax.vmap(lambda k: jax.random.normal(k, clean.shape[1:]))(keys)
        valid = conditions.valid[:, c.context :]
        metrics = {}
        for share in _EVALUATION_TIMES:
            timestep = jnp.full(clean.shape[:1], round(share * c.diffusion_steps), jnp.int32)
            noisy = schedule.add_noise(clean, noise, timestep, c.diffusion_steps)
            prediction = self.model.apply({"params": params[PLAYER]}, noisy, timestep, conditions, {})
            metrics[f"x0_t{share}"] = self._errors(prediction - clean, valid)["x0"]
        metrics["x0"] = sum(metrics.values(), jnp.zeros(())) / len(metrics)
        guided = table.default_guidance(c.guided)
        sampled = sample_window(params[PLAYER], conditions, noise, rng, guided, {}, config=c, steps=_EVALUATION_STEPS)
        spread = [jnp.sqrt(self._errors(x - x.mean(1, keepdims=True), valid)["x0"]) for x in (sampled, clean)]
        metrics["spread_ratio"] = spread[0] / spread[1]
        if self.readout is not None:
            metrics["mouth_changes"] = change_correlation(sampled @ self.readout, clean @ self.readout, valid)
            wrong = jnp.roll(clean, 1, axis=0) @ self.readout
            both = valid & jnp.roll(valid, 1, axis=0)
            metrics["mouth_changes_wrong"] = change_correlation(sampled @ self.readout, wrong, both)
        return metrics

    def images(self, params: Params, batch: Batch, rng: PRNGKeyArray) -> dict[str, Array]:
        """Four held-out windows, time to the right: generated motion above the real one; and the first one's audio.

        A row of pixels is a value of the motion, grey at its mean, black and white at 2.5 deviations.
        """
        batch = {name: value[:4] for name, value in batch.items()}
        conditions, clean = self.plain(batch, params[NETWORKS]["speech"])
        noise = jax.vmap(lambda k: jax.random.normal(k, clean.shape[1:]))(example_keys(rng, batch["index"]))
        c = self.model_config
        guided = table.default_guidance(c.guided)
        sampled = sample_window(params[PLAYER], conditions, noise, rng, guided, {}, config=c, steps=_EVALUATION_STEPS)
        rows = jnp.stack([sampled, clean], 1).swapaxes(2, 3)  # [b, 2, m, w]
        rows = jnp.pad(rows, ((0, 0), (0, 0), (0, 1), (0, 0)), constant_values=2.5)
        grey = jnp.repeat(0.5 + rows.reshape(-1, rows.shape[-1]) / 5.0, _PIXELS, axis=1)
        grey = jnp.repeat(grey, _PIXELS, axis=0)
        return {"generated_above_real": jnp.tile(grey[..., None], (1, 1, 3)), "sound_of_the_first": batch["audio"][0]}


def make_motion_task(config: ml_collections.ConfigDict, stats: Mapping[str, Any]) -> Task:
    """The task of `config.model` and `config.loss`.

    Args:
      config: with `model` (fields of MotionConfig) and, optionally, `loss` (see `default_loss`) and `speech_model`
        (folder of the pretrained model that `model.speech` asks for).
      stats: "mean" and "std" of raw motion [m]; optionally "mouth_readout" [m] (see `fit_mouth_readout`), which turns
        on the mouth metrics.
    """
    task = _MotionTask(config, stats)
    return Task(
        name="motion",
        init=task.init,
        losses={PLAYER: task.loss},
        evaluate=task.evaluate,
        images=task.images,
        networks={"speech": task.speech},
    )
