"""One portrait and one recording to a talking face: the Python interface.

face = TalkingFace.load("bundled")
face.animate("portrait.jpg", "speech.wav", emotion={"happiness": 0.5}).save("talking.mp4")
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, Self

import ml_collections
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from vasa_jax import files, media, weights, xla
from vasa_jax.errors import InputError, UsageError
from vasa_jax.inference import blinks, editing, given, live, tracks
from vasa_jax.inference import portrait as portraits
from vasa_jax.inference.closing import Mouth, mouth_of
from vasa_jax.inference.controls import Controls
from vasa_jax.inference.leading import Courses, Leading, courses_of, told_beside
from vasa_jax.inference.look import Look, look_at
from vasa_jax.inference.machine import Machine
from vasa_jax.inference.motion import MotionGenerator
from vasa_jax.inference.renderer import FaceRenderer
from vasa_jax.inference.video import Stopwatch, Video, version
from vasa_jax.models.audio import front_end
from vasa_jax.models.face_latent import FaceLatentModel, FaceLatents
from vasa_jax.models.motion_transformer import MotionConfig
from vasa_jax.paths import PathLike, check_file

Motion = Iterator[Float[np.ndarray, " m"]]
_PORTRAIT_LIMITS = (64, 1024)
_LOOKS = 3  # frames of a driving video in which its face is looked for


class TalkingFace:
    """A face latent model and a motion model that speak together.

    Args:
      renderer: the face model.
      motion: the motion model; None leaves only driving by videos.
      model_hash: SHA-256 that names the weights, for the records.
      lids: how its codes tell the lids and close them; None leaves blinks to the motion model.
      mouth: how they tell the mouth, how far it has to open, and how it is closed when a stream is interrupted.
      courses: how they change as gaze and expression are led; None: the motion model is told them.
    """

    def __init__(
        self,
        renderer: FaceRenderer,
        motion: MotionGenerator | None,
        model_hash: str,
        source: str = "",
        lids: blinks.Lids | None = None,
        mouth: Mouth | None = None,
        courses: Courses | None = None,
    ):
        self.renderer, self.motion, self.model_hash, self.source = renderer, motion, model_hash, source
        self.lids, self.mouth, self.courses = lids, mouth, courses
        self._machines: dict[int, Machine] = {}

    @classmethod
    def load(cls, path: PathLike = weights.BUNDLED, speech_model: PathLike | None = None) -> Self:
        """Loads a release folder, or the weights that the project ships.

        Args:
          path: the folder.
          speech_model: the folder of the pretrained model that the release's motion model listens through, if any.
        """
        xla.tune_cpu()
        release = weights.load_release(path)
        config = ml_collections.FrozenConfigDict(release.face_config)
        model = FaceLatentModel(config)
        renderer = FaceRenderer(model, release.face_params, config.size, generator=config.generator)
        motion = lids = mouth = courses = None
        if release.motion_params is not None and release.motion_config is not None:
            motion_config = MotionConfig.create(release.motion_config)
            speech = front_end.open_for(motion_config, str(speech_model or ""), "--speech_model")
            stats = release.motion_stats or {}
            motion = MotionGenerator(motion_config, release.motion_params, stats, speech)
            if (head := release.face_params.get("label_head")) is not None:
                lids = blinks.lids_of(head, stats["std"][7:], stats.get("blink"), float(stats.get("reach", 1.0)))
                mouth = mouth_of(head, stats["std"][7:], stats.get("opening"), float(stats.get("mouth_reach", 1.0)))
            courses = courses_of(stats)
        model_hash = files.sha256(release.directory / "manifest.json")
        return cls(renderer, motion, model_hash, str(path), lids, mouth, courses)

    def animate(
        self,
        portrait: PathLike | np.ndarray | Image.Image,
        audio: PathLike | tuple[np.ndarray, int],
        *,
        pose_from: PathLike | None = None,
        dynamics_from: PathLike | None = None,
        face_model: PathLike | None = None,
        size: int | None = None,
        track: PathLike | None = None,
        **controls: Any,
    ) -> Video:
        """A video of the portrait's person saying the recording.

        Args:
          portrait: an image file, an array (RGB, RGBA or grey; see `inference.given`), or an image of Pillow.
          audio: a recording of 0.2 s to 10 minutes, or a video with recording; or (samples, rate).
          pose_from: a video whose head motion is used instead of generated one (forth and back if shorter), or
            "frontal" (turned to the viewer and still), "spin" (drawing circles) or "portrait" (still as it is).
          dynamics_from: the same for the face's expression and lips: a video, or "portrait" (still as it is).
          face_model: a MediaPipe face landmarker, to find the face with.
          size: side of the video's images; twice the model's for models that move the portrait, else the model's.
          track: a CSV file of gaze, distance and emotions over time; see `inference.tracks`.
          **controls: fields of `Controls`.

        Raises:
          InputError, UsageError: what is wrong with an input, and what to do.
        """
        wanted = _controls(tracks.merge(controls, track))
        if self.motion is None and (pose_from is None or dynamics_from is None):
            raise InputError(f"{self.source} has no motion model: give pose_from and dynamics_from, or another release")
        for video in (pose_from, dynamics_from):
            if video is not None and editing.is_video(video):
                check_file(video, "a video of one face")
        size = self._output_size(size)
        watch = Stopwatch()
        notes: list[str] = []
        recording = watch.call("audio", given.audio, audio)
        look = look_at(self.renderer, portrait, size, face_model, watch, notes)
        pose, dynamics = self._edits(pose_from, dynamics_from, recording.frames, look.latents, face_model, watch, notes)
        turned = pose_from in (None, editing.PORTRAIT)

        def make() -> Iterator[UInt8[np.ndarray, "h w 3"]]:
            blinker = blinks.Blinker(self.lids, wanted.seed, wanted.blinks, look.code) if self.lids else None
            home = look.home
            moves = self._motion(recording, wanted, pose, dynamics, look.start, blinker, home[:3] if turned else None)
            placed: Motion = (editing.from_home(vector, home, turned) for vector in moves)
            if self.mouth is not None and dynamics is None:
                placed = map(self.mouth.opened, placed)
            if self.courses is not None and dynamics is None:
                placed = Leading(self.courses, home, wanted.seed).over(placed, wanted.vectors())
            motion = watch.items("motion", placed)
            return watch.items("decode", self.renderer.frames(look.latents, motion, look.large, size), inside="motion")

        info = self._info(look, recording, wanted, pose_from, dynamics_from) | {"notes": notes}
        return Video(make, recording, recording.frames, size, info, watch)

    def stream(
        self,
        portrait: PathLike | np.ndarray | Image.Image | Look,
        seed: int = 0,
        lookahead_ms: int = live.LOOKAHEAD_MS,
        *,
        face_model: PathLike | None = None,
        size: int | None = None,
        **controls: Any,
    ) -> live.LiveSession:
        """A face that answers while it is spoken to: `push` audio, get frames.

        session = face.stream("portrait.jpg", seed=3, lookahead_ms=160, gaze=(0.1, 0.0))
        frames = session.push(samples)  # 16 kHz mono float32, any length; uint8 [h, w, 3] each
        frames += session.flush()  # round(seconds * 25) in all

        Args:
          portrait: as for `animate`, or what `look` returned.
          seed: same seed, same motion.
          lookahead_ms: audio later than this after a frame's time never changes it; 40 to 320, in steps of 40.
          face_model, size: as for `animate`.
          **controls: fields of `Controls`, constants only; fewer `steps` than offline by default (`live.STEPS`).

        Raises:
          InputError, UsageError: what is wrong with an input, and what to do.
        """
        wanted = live.controls_of(seed, controls)
        look = portrait if isinstance(portrait, Look) else self.look(portrait, size, face_model)
        return live.LiveSession(self.machine(), look, wanted, lookahead_ms)

    def look(self, portrait: Any, size: int | None = None, face_model: PathLike | None = None) -> Look:
        """The portrait ready for any number of streams."""
        return look_at(self.renderer, portrait, self._output_size(size), face_model, Stopwatch(), [])

    def machine(self, rows: int = 1) -> Machine:
        """The compiled programs of live sessions, `rows` of which share a call; made once."""
        if self.motion is None:
            raise InputError(f"{self.source} has no motion model: a stream needs one; give another release")
        if rows not in self._machines:
            self._machines[rows] = Machine(self.renderer, self.motion, self.lids, self.mouth, rows, self.courses)
        return self._machines[rows]

    def _edits(
        self,
        pose_from: PathLike | None,
        dynamics_from: PathLike | None,
        frames: int,
        latents: FaceLatents,
        face_model: PathLike | None,
        watch: Stopwatch,
        notes: list[str],
    ) -> tuple[Float[np.ndarray, "t 7"] | None, Float[np.ndarray, "u d"] | None]:
        """Pose and dynamics that take the place of generated ones; None where the speech gives them."""
        pose = dynamics = whole = None
        if editing.is_video(pose_from):
            whole = watch.call("pose_from", self.motion_of, pose_from, frames, face_model, notes)
            pose = whole[:, :7]
        elif pose_from is not None:
            pose = editing.made_pose(str(pose_from), frames)
        if whole is not None and editing.same_video(pose_from, dynamics_from):
            dynamics = whole[:, 7:]
        elif editing.is_video(dynamics_from):
            dynamics = watch.call("dynamics_from", self.motion_of, dynamics_from, frames, face_model, notes)[:, 7:]
        elif dynamics_from is not None:
            if str(dynamics_from) not in editing.DYNAMICS:
                raise UsageError(f"dynamics_from={dynamics_from}: give a video, or {' or '.join(editing.DYNAMICS)}")
            dynamics = np.asarray(latents.dynamics)
        return pose, dynamics

    def motion_of(
        self, video: PathLike, frames: int, face_model: PathLike | None = None, notes: list[str] | None = None
    ) -> Float[np.ndarray, "t m"]:
        """Pose and dynamics of at most `frames` frames of a video of one face, in a crop fixed for the clip.

        Args:
          video: the file.
          frames: how many at most.
          face_model: to find the face with.
          notes: gets a line for what was guessed, lost or damaged; InputError where more than a tenth is damaged.
        """
        reader = media.VideoReader(video)
        looks = [frame for k in range(_LOOKS) for frame in reader.frames(k * min(frames, 50) // _LOOKS, 1)]
        options = {"name": str(video), "face_model": face_model, "pose_of": self.renderer.pose}
        box = portraits.find_in_video(looks, resolution=self.renderer.size, **options)
        cuts = (portraits.cut(frame, box, self.renderer.size) for frame in reader.frames(0, frames))
        motion = np.stack(list(self.renderer.motion(cuts)))
        reader.damage.check(reader.path)
        if notes is not None:
            notes += [f"{video}: {line}" for line in reader.notes]
            if told := reader.damage.told("the image before is held"):
                notes.append(f"{video}: {told}")
        return motion

    def _output_size(self, size: int | None) -> int:
        if size is None:
            return self.renderer.size * (2 if self.renderer.moves_source else 1)
        low, high = _PORTRAIT_LIMITS
        if not low <= size <= high or size % 2:
            raise UsageError(f"size {size}: give an even number of pixels from {low} to {high}")
        return size

    def _motion(
        self,
        audio: media.AudioReader,
        wanted: Controls,
        pose: np.ndarray | None,
        dynamics: np.ndarray | None,
        start: Float[np.ndarray, " m"],
        blinker: blinks.Blinker | None,
        turned: Float[np.ndarray, " 3"] | None,
    ) -> Motion:
        """One motion vector a frame: generated, with what the driving videos give put in its place."""
        generated = None
        if pose is None or dynamics is None:
            generated = self._generated(audio, wanted, start, blinker, turned)
        for at in range(audio.frames):
            made = next(generated) if generated is not None else start  # of which nothing is read then
            first = made[:7] if pose is None else pose[editing.forth_and_back(at, len(pose))]
            rest = made[7:] if dynamics is None else dynamics[editing.forth_and_back(at, len(dynamics))]
            yield np.concatenate([first, rest])

    def _generated(
        self,
        audio: media.AudioReader,
        wanted: Controls,
        start: Float[np.ndarray, " m"],
        blinker: blinks.Blinker | None,
        turned: Float[np.ndarray, " 3"] | None,
    ) -> Motion:
        assert self.motion is not None  # `animate` asks
        windows = self.motion.windows(
            audio.mono(),
            audio.frames,
            seed=wanted.seed,
            steps=wanted.steps,
            method=wanted.sampler,
            hop=wanted.hop,
            guidance=wanted.guidance(),
            start=start,
            blinker=blinker,
            **self._told(wanted, turned),
        )
        for window in windows:
            yield from window

    def _told(self, wanted: Controls, turned: Float[np.ndarray, " 3"] | None) -> dict[str, Any]:
        """What the motion model is told beside what is led."""
        if self.courses is not None:
            return told_beside(wanted.vectors())
        return wanted.vectors() | {"turned": turned}

    def _info(self, look, audio, wanted, pose_from, dynamics_from) -> dict[str, Any]:
        controls = wanted.described()
        drivers = {"pose_from": pose_from, "dynamics_from": dynamics_from}
        edits = {name: str(kind) for name, kind in drivers.items() if kind is not None and not editing.is_video(kind)}
        drivers = {name: files.sha256(path) for name, path in drivers.items() if editing.is_video(path)}
        provenance = {
            "model_sha256": self.model_hash,
            "seed": wanted.seed,
            "portrait_sha256": look.sha256,
            "audio_sha256": files.sha256(audio.path),
            "version": version(),
            **{f"{name}_sha256": value for name, value in drivers.items()},
            **edits,
        }
        return {
            "seed": wanted.seed,
            "model_hash": self.model_hash,
            "checkpoint": self.source,
            "face_box": dataclasses.asdict(look.box),
            "audio": {
                "seconds": audio.seconds,
                "rate": audio.rate,
                "repaired_samples": audio.repaired,
                "damaged_seconds": audio.damage.lost / audio.rate,
                "notes": audio.notes,
            },
            "controls": controls,
            "provenance": provenance,
        }


def _controls(given: dict[str, Any]) -> Controls:
    known = {field.name for field in dataclasses.fields(Controls)}
    if unknown := sorted(given.keys() - known):
        raise UsageError(f"{unknown[0]!r} is no control; there are {', '.join(sorted(known))}")
    return Controls(**given)
