"""Pictures and audio of a prepared clip start together: a flash and a click at one moment stay at one moment."""

import numpy as np
import pytest

from data_pipelines import schema
from data_pipelines.prepare import ingest

HALF_FRAME = schema.SAMPLES_PER_FRAME // 2


def read(path):
    """(images at 25 a second, audio) of a whole file."""
    video = ingest.Video(path)
    images = list(video.images())
    return images, video.audio(len(images))


def flash_and_click(path, writer, *, at=0.8, seconds=1.6, fps=25, audio_delay=0.0, video_delay=0.0):
    """A video that flashes white and clicks at time `at` of the common clock."""
    images = np.zeros((round(seconds * fps), 64, 64, 3), np.uint8)
    images[round((at - video_delay) * fps)] = 255
    audio = np.zeros(round(seconds * 44_100), np.float32)
    audio[round((at - audio_delay) * 44_100)] = 0.9
    writer(path, images, audio, fps=fps, audio_delay=audio_delay, video_delay=video_delay)


@pytest.mark.parametrize(
    "options",
    [{}, {"fps": 30}, {"fps": 50}, {"audio_delay": 0.2}, {"video_delay": 0.2}, {"seconds": 1.2, "at": 1.0}],
    ids=["25", "30", "50", "audio late", "image late", "near the end"],
)
def test_flash_and_click_within_half_a_frame(tmp_path, video_writer, options):
    path = tmp_path / "clip.mp4"
    flash_and_click(path, video_writer, **options)
    images, audio = read(path)
    brightness = np.asarray([image.mean() for image in images])
    flash = int(np.argmax(brightness)) * schema.SAMPLES_PER_FRAME  # the moment the frame comes on
    click = int(np.argmax(np.abs(audio)))
    assert brightness.max() > 150
    assert abs(flash - click) <= HALF_FRAME
    assert len(audio) == len(images) * schema.SAMPLES_PER_FRAME


def test_frame_count_is_by_time(tmp_path, video_writer):
    for fps, count in ((25, 40), (30, 48), (50, 80)):
        video_writer(tmp_path / "c.mp4", np.zeros((count, 64, 64, 3), np.uint8), np.zeros(44_100), fps=fps)
        assert len(read(tmp_path / "c.mp4")[0]) == 40


def test_stereo_is_averaged(tmp_path):
    """Left 0.5, right -0.1: the mean is 0.2, not FFmpeg's louder downmix."""
    import av

    with av.open(str(tmp_path / "c.mkv"), "w") as container:
        image = container.add_stream("libx264", rate=25)
        image.height = image.width = 64
        image.pix_fmt = "yuv420p"
        audio = container.add_stream("pcm_s16le", rate=16_000, layout="stereo")
        for _ in range(25):
            for packet in image.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")):
                container.mux(packet)
        container.mux(image.encode(None))
        samples = np.tile(np.asarray([0.5, -0.1]) * 32767, 16_000).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="stereo")
        frame.sample_rate, frame.pts = 16_000, 0
        container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    np.testing.assert_allclose(read(tmp_path / "c.mkv")[1][2000:14_000], 0.2, atol=1e-3)
