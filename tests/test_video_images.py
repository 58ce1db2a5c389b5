"""Videos mean what their files say, in both readers: pixel aspect, rotation, fields, matrix and range, HDR."""

import gc
import pathlib
from fractions import Fraction

import av
import av.filter
import numpy as np
import pytest

from data_pipelines.prepare import ingest
from tests import colour_files as made
from vasa_jax import media
from vasa_jax.errors import InputError


def write(path, frames, codec="libx264", aspect=None, turn=None, matrix=None, tags=None, options=None):
    """A video of frames (av.VideoFrame of the stream's format) with half a second of silence.

    Args:
      aspect: of a pixel, as "64:45".
      turn, matrix: degrees, or a display matrix.
      tags: colour tags of the codec's context.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {"crf": "4", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, frames[0].format.name
        if aspect:
            stream.codec_context.sample_aspect_ratio = Fraction(*map(int, aspect.split(":")))
        for name, value in (tags or {}).items():
            setattr(stream.codec_context, name, value)
        if turn is not None:
            stream.set_display_rotation(turn)
        if matrix is not None:
            stream.set_display_matrix(matrix)
        codec = {".mkv": "pcm_s16le", ".mpg": "mp2"}.get(path.suffix, "aac")
        audio = container.add_stream(codec, rate=16_000, layout="mono")
        for k, frame in enumerate(frames):
            frame.pts, frame.time_base = k, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 8_000), np.int16), format="s16", layout="mono")
        silence.sample_rate, silence.pts = 16_000, 0
        container.mux(audio.encode(silence))
        container.mux(audio.encode(None))
    return path


def coloured(image, layout="yuv420p", **options):
    """A frame of an RGB image."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return frame.reformat(format=layout, **options)


def readings(path):
    """The first image and the size that both readers report, checked to be the same."""
    reader, video = media.VideoReader(path), ingest.Video(path)
    one, other = next(iter(reader)), next(video.images())
    np.testing.assert_array_equal(one, other)
    assert (reader.width, reader.height) == (one.shape[1], one.shape[0]) == video.size
    return one, reader.notes


def disc(height, width, across, down):
    """A white ellipse in the middle of black."""
    y, x = np.mgrid[:height, :width]
    inside = ((x + 0.5 - width / 2) / across) ** 2 + ((y + 0.5 - height / 2) / down) ** 2 < 1
    return np.repeat(inside[..., None] * np.uint8(255), 3, -1)


@pytest.mark.parametrize(
    ("aspect", "size"), [("64:45", (144, 256)), ("8:9", (162, 180)), ("2:1", (144, 360)), ("1:1", (144, 180))]
)
@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi", "mpg"])
def test_pixels_that_are_not_square(tmp_path, ending, aspect, size):
    wide = Fraction(*map(int, aspect.split(":")))
    codec = "mpeg2video" if ending == "mpg" else "libx264"
    if ending == "mpg":  # MPEG-2 knows aspects of the whole image only
        aspect, size = {"64:45": ("64:45", (144, 256)), "1:1": ("1:1", (144, 180))}.get(aspect, (None, None))
        if aspect is None:
            pytest.skip("MPEG-2 has no such pixels")
    frames = [coloured(disc(144, 180, 40 / float(wide), 40)) for _ in range(3)]
    options = {"qscale": "2"} if ending == "mpg" else None
    image, notes = readings(write(tmp_path / f"v.{ending}", frames, codec, aspect, options=options))
    assert image.shape[:2] == size and not notes
    inside = image[..., 1] > 128
    across, down = inside.any(0).sum(), inside.any(1).sum()
    assert abs(across / down - 1) < 0.04  # round again


def test_a_real_video_of_oblong_pixels(shared):
    path = shared / "bugs" / "15-pixel-aspect" / "sar.mp4"
    image, _ = readings(path)
    assert image.shape == (576, 1024, 3)


def test_pixels_beyond_reason_are_taken_as_square(tmp_path):
    image, notes = readings(write(tmp_path / "v.mp4", [coloured(disc(64, 64, 20, 20))] * 3, aspect="20:1"))
    assert image.shape == (64, 64, 3) and len(notes) == 1 and "taken as square" in notes[0]


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_turned_and_mirrored(tmp_path, turn, mirrored):
    shown = np.zeros((96, 128, 3), np.uint8)
    shown[:48, :64] = (200, 30, 30)  # a corner, another colour beside it
    shown[:48, 64:] = (30, 30, 200)
    stored = np.rot90(shown, -turn // 90)
    unit = {0: (1, 0, 0, 1), 90: (0, -1, 1, 0), 180: (-1, 0, 0, -1), 270: (0, 1, -1, 0)}[turn]
    a, b, c, d = unit
    if mirrored:
        stored, a, b = stored[:, ::-1], -a, -b
    one = 1 << 16
    matrix = (a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30)
    image, _ = readings(write(tmp_path / "v.mp4", [coloured(stored)] * 3, matrix=matrix))
    assert image.shape == shown.shape
    assert np.abs(image.astype(int) - shown).mean() < 6


def test_oblong_pixels_are_made_square_before_turning(tmp_path):
    path = write(tmp_path / "v.mp4", [coloured(disc(144, 180, 30, 60))] * 3, aspect="2:1", turn=90)
    image, _ = readings(path)
    assert image.shape == (360, 144, 3)
    inside = image[..., 1] > 128
    assert abs(inside.any(0).sum() / inside.any(1).sum() - 1) < 0.04


@pytest.mark.parametrize("width", [64, 1280])
@pytest.mark.parametrize("matrix", [1, 5, 6, 9, 2])
@pytest.mark.parametrize("full", [False, True])
def test_matrix_and_range(tmp_path, matrix, full, width):
    """One colour, stored by the numbers; where the file names no matrix, large images are BT.709."""
    red, blue = {1: (0.2126, 0.0722), 9: (0.2627, 0.0593)}.get(matrix, (0.299, 0.114))
    if matrix == 2 and width == 1280:
        red, blue = 0.2126, 0.0722
    colour = np.asarray([196.0, 140, 110])
    light = colour @ [red, 1 - red - blue, blue]
    signal = [light / 255, (colour[2] - light) / 255 / (2 - 2 * blue), (colour[0] - light) / 255 / (2 - 2 * red)]
    stored = np.asarray(signal) * (255 if full else (219, 224, 224)) + (0 if full else 16, 128, 128)
    frame = av.VideoFrame(width, 64, "yuv420p")
    for plane, value in zip(frame.planes, stored, strict=True):
        plane.update(bytes([round(value)]) * plane.buffer_size)
    tags = {"colorspace": matrix, "color_range": 2 if full else 1}
    frame.colorspace, frame.color_range = matrix, tags["color_range"]
    path = write(tmp_path / "v.mkv", [frame] * 3, "ffv1", tags=tags, options={})
    image, _ = readings(path)
    assert np.abs(image.reshape(-1, 3).mean(0) - colour).max() <= 2.5


def interlaced(first, count=12, height=96, width=128):
    """Frames of a bar that moves with every field, the upper or lower lines first, and images of their moments."""
    moments = np.full((2 * count, height, width), 60, np.uint8)
    for k, moment in enumerate(moments):
        moment[:, 10 + 3 * k : 30 + 3 * k] = 200
    woven = moments[::2].copy()
    late = slice(first == "tff", None, 2)
    woven[:, late] = moments[1::2, late]
    graph = av.filter.Graph()
    base = Fraction(1, 25)
    source = graph.add_buffer(width=width, height=height, format=av.VideoFormat("yuv420p"), time_base=base)
    middle, sink = graph.add("setfield", f"mode={first}"), graph.add("buffersink")
    source.link_to(middle)
    middle.link_to(sink)
    graph.configure()
    frames = []
    for k, image in enumerate(woven):
        frame = coloured(np.repeat(image[..., None], 3, -1))
        frame.pts, frame.time_base = k, base
        graph.push(frame)
        frames.append(graph.pull())
    return frames, woven, moments[::2]


@pytest.mark.parametrize("first", ["tff", "bff"])
@pytest.mark.parametrize(("codec", "ending", "quality"), [("libx264", "mp4", "crf"), ("mpeg2video", "mpg", "qscale")])
def test_fields_become_whole_images(tmp_path, codec, ending, quality, first):
    frames, woven, moments = interlaced(first)
    options = {"flags": "+ilme+ildct", quality: "2"}
    path = write(tmp_path / f"v.{ending}", frames, codec, options=options)
    reader = media.VideoReader(path)
    images = list(reader)
    assert len(images) == len(list(ingest.Video(path).images())) == len(moments)
    for image, moment, before in zip(images, moments, woven, strict=True):
        comb = np.abs(np.diff(image[..., 1].astype(int), axis=0)).max()
        assert comb < 25 < np.abs(np.diff(before.astype(int), axis=0)).max()
        assert np.abs(image[..., 1].astype(int) - moment).mean() < 4
    assert reader.notes == ["interlaced: its fields are made into whole images"]


def test_images_that_are_whole_are_left_alone(tmp_path):
    frames = [coloured(made.patches())] * 4
    reader = media.VideoReader(write(tmp_path / "v.mp4", frames))
    with av.open(str(tmp_path / "v.mp4")) as container:
        plain = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    np.testing.assert_array_equal(np.stack(list(reader)), np.stack(plain))


@pytest.mark.parametrize(("transfer", "signal"), [(16, made.pq), (18, made.hlg)])
def test_hdr_videos(tmp_path, transfer, signal):
    truth = made.patches()
    samples = np.round(signal(made.in_space(truth, made.REC2020)) * 65535).astype(np.uint16)
    frame = av.VideoFrame.from_ndarray(samples, format="rgb48le")
    frame = frame.reformat(format="yuv444p10le", dst_colorspace=9, dst_color_range=1)
    tags = {"colorspace": 9, "color_range": 1, "color_primaries": 9, "color_trc": transfer}
    image, notes = readings(write(tmp_path / "v.mkv", [frame] * 3, "ffv1", tags=tags, options={}))
    assert made.delta_e(image, truth).mean() <= 1.5
    assert made.delta_e(np.round(samples / 257), truth).mean() > 8
    assert notes == [f"HDR ({'PQ' if transfer == 16 else 'HLG'}): what is brighter than white is rolled off"]


def test_wide_primaries_without_hdr(tmp_path):
    truth = made.patches()
    frame = coloured(np.round(made.encode(made.in_space(truth, made.P3)) * 255).astype(np.uint8), "yuv444p")
    tags = {"colorspace": 6, "color_range": 1, "color_primaries": 12, "color_trc": 1}
    image, notes = readings(write(tmp_path / "v.mkv", [frame] * 3, "ffv1", tags=tags, options={}))
    assert made.delta_e(image, truth).mean() <= 1.5 and not notes


def test_colours_that_nobody_can_know_are_refused(tmp_path):
    tags = {"colorspace": 14, "color_range": 1, "color_primaries": 9, "color_trc": 16}
    frame = coloured(made.patches(), "yuv444p10le")
    path = write(tmp_path / "v.mkv", [frame] * 3, "ffv1", tags=tags, options={})
    for read in (media.VideoReader, lambda path: list(ingest.Video(path).images())):
        with pytest.raises(InputError, match=r"v.mkv: its colours \(matrix 14 of H.273\) are not known") as error:
            read(path)
        assert "\n" not in str(error.value)


def test_transparent_parts_are_grey(tmp_path):
    pixels = np.dstack([made.patches(), np.full((64, 64), 255, np.uint8)])
    pixels[:32, :, 3] = 0
    frame = av.VideoFrame.from_ndarray(pixels, format="rgba")
    image, _ = readings(write(tmp_path / "v.mkv", [frame.reformat(format="bgra")] * 3, "ffv1", options={}))
    assert (image[:32] == 128).all() and np.abs(image[32:].astype(int) - made.patches()[32:]).max() <= 1


def test_threads_do_not_grow_with_the_frames(tmp_path):
    """Each converter of pixels has threads of its own, which stay until garbage is collected."""
    tasks = pathlib.Path("/proc/self/task")
    if not tasks.is_dir():
        pytest.skip("threads cannot be counted here")
    gc.collect()
    before = len(list(tasks.iterdir()))
    gc.disable()
    try:
        with media.VideoWriter(tmp_path / "v.mp4") as writer:
            for k in range(60):
                writer.write(np.full((64, 64, 3), 4 * k, np.uint8))
        assert len(list(media.VideoReader(tmp_path / "v.mp4"))) == 60
        after = len(list(tasks.iterdir()))
    finally:
        gc.enable()
    assert after < before + 40
