"""A folder of videos of which most have something wrong, made here, and what has to be said of each."""

import dataclasses
import fractions
import os
import pathlib
from collections.abc import Callable

import av
import numpy as np

from data_pipelines.prepare import ingest, tracking
from tests.data_pipelines.conftest import mesh_of, write_video
from tests.data_pipelines.prepare.conftest import Head, audio_of, face_points, images_of, speech

_Writer = Callable[[pathlib.Path, Head], None]


@dataclasses.dataclass(frozen=True)
class Fault:
    """One file of the folder.

    Attributes:
      file: its place; clips are named after it.
      what: is wrong with it.
      write: makes it.
      says: how the reason begins for which it is left out.
      kept: whether a clip comes of it none the less.
    """

    file: str
    what: str
    write: _Writer
    says: str | None = None
    kept: bool = False

    @property
    def clip(self) -> str:
        """Name of the clip that comes of the file."""
        return os.path.splitext(self.file)[0].replace("/", "_")


def write_all(heads: Head) -> pathlib.Path:
    """Makes the folder; returns it."""
    folder = heads.root / "videos"
    for fault in FAULTS:
        path = folder / fault.file
        path.parent.mkdir(parents=True, exist_ok=True)
        fault.write(path, heads)
        if fault.kept:
            _track(path, heads.tracks / f"{fault.clip}.npz")
    return folder


def _track(path: pathlib.Path, to: pathlib.Path) -> None:
    """A face in every image that the file gives."""
    t = sum(1 for _ in ingest.Video(path).images())
    points = mesh_of(face_points(speech(t, _seed(path))))
    tracking.Track(points, np.zeros((t, tracking.BLENDSHAPES), np.float32), np.ones(t, bool)).save(to)


def _seed(path: pathlib.Path) -> int:
    """Other heads and voices in other folders."""
    return int.from_bytes(path.parent.name.encode()[-2:], "big")


def good(path: pathlib.Path, heads: Head, seconds: float = 2.4) -> None:
    """Nothing wrong."""
    seed = _seed(path)
    opening = speech(round(25 * seconds), seed)
    write_video(path, images_of(opening, seed), audio_of(opening, seed))


def _truncated(path: pathlib.Path, heads: Head) -> None:
    """The header stands in front and claims 4 s; a third of the file is missing."""
    whole = path.with_name("whole.mp4")
    good(whole, heads, 4.0)
    options = {"movflags": "faststart"}
    with av.open(str(whole)) as source, av.open(str(path), "w", options=options) as target:
        streams = [target.add_stream_from_template(stream) for stream in source.streams]
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    whole.unlink()
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def _silent(path: pathlib.Path, heads: Head) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for image in images_of(speech(60, 1), 1):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))


def _variable_rate(path: pathlib.Path, heads: Head) -> None:
    """Ten, then 50, then 25 images a second, of a head that speaks in step with its audio."""
    times = np.concatenate([np.arange(0, 800, 100), np.arange(800, 1600, 20), np.arange(1600, 2400, 40)])  # ms
    opening = speech(60, _seed(path))
    shown, audio = images_of(opening, 1)[times // 40], audio_of(opening, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.height, stream.width = shown.shape[1:3]
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", fractions.Fraction(1, 1000)
        heard = container.add_stream("aac", rate=44_100, layout="mono")
        for pts, image in zip(times.tolist(), shown, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = pts, fractions.Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for at in range(0, len(audio), 1024):
            frame = av.AudioFrame.from_ndarray(audio[None, at : at + 1024].astype(np.float32), "fltp", "mono")
            frame.sample_rate, frame.time_base, frame.pts = 44_100, fractions.Fraction(1, 44_100), at
            container.mux(heard.encode(frame))
        container.mux(heard.encode(None))


def _bomb(path: pathlib.Path, heads: Head) -> None:
    """A small file of images of 200 MB each."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 8192, 8192, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(8192, 8192, "yuv420p")))
        container.mux(stream.encode(None))
    assert path.stat().st_size < 2_000_000


def _locked(path: pathlib.Path, heads: Head) -> None:
    good(path, heads)
    path.chmod(0)


FAULTS = (
    Fault("anna/good.mp4", "nothing", good, kept=True),
    Fault("ben/good.mkv", "nothing", good, kept=True),
    Fault("cut/short.mp4", "truncated, its header claims all", _truncated, "cut short or damaged: ", kept=True),
    Fault("odd/rate.mp4", "variable frame rate", _variable_rate, kept=True),
    Fault("odd/folder.mp4/inside.mov", "in a folder named like a video", good, kept=True),
    Fault("bad/silent.mp4", "no audio track", _silent, "no audio; speech is needed beside the images"),
    Fault("bad/bomb.mp4", "8K frame bomb", _bomb, "images of 8192x8192; at most 4096 pixels a side: make it smaller"),
    Fault("bad/zero.mp4", "zero length", lambda path, _: path.touch(), "empty (0 bytes); fetch it again"),
    Fault("bad/text.mp4", "text file", lambda path, _: path.write_text("no video\n" * 99), "not a video, or cut short"),
    Fault("bad/gone.mp4", "dangling link", lambda path, _: path.symlink_to("absent"), "images cannot be read (No"),
    Fault("bad/locked.mp4", "no right to read", _locked, "images cannot be read (Permission denied)"),
    Fault("bad/pipe.mp4", "a pipe that nobody writes to", lambda path, _: os.mkfifo(path), "not a file, but a"),
)
"""All of the folder, in no order."""
