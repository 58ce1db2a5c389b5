"""Damaged images by the hundred through the reader, in one child process a format, with little memory.

python -m tests.fuzz_pictures --count=500 --commands=20 --result=experiments/results/fuzz_pictures.json

Each file must be used or refused with one line. The children do not share our fate: one that dies or hangs is counted,
and another goes on after the file that did it. `commands` sends damaged images of a face through vasa-generate, whose
models are stand-ins; the face is looked for as ever.
"""

import argparse
import dataclasses
import datetime
import io
import json
import os
import platform
import resource
import select
import signal
import struct
import subprocess
import sys
import time
import traceback
import zlib

import numpy as np
from PIL import Image

from tests import colour_files as made

FORMATS = ("png", "jpg", "webp", "gif", "tif")
COMMANDS = FORMATS[:3]
MEMORY = 3 << 30  # bytes of address space of a child: its libraries take half of that
HANG = 10.0  # seconds of a processor that a file may take
_PATIENCE = 900.0  # seconds by the wall, on a machine that has other things to do


@dataclasses.dataclass
class Tally:
    """What became of the files of a format. `faults` names those that ended neither in pixels nor in a line."""

    files: int = 0
    used: int = 0
    used_with_a_line: int = 0
    refused: int = 0
    slowest_seconds: float = 0.0
    peak_mib: float = 0.0
    faults: list[str] = dataclasses.field(default_factory=list)


# ---------------------------------------------------------------- files and what happens to them


def seeds(kind: str, rgb: Image.Image | None = None) -> list[bytes]:
    """Sound files of a format, of as many sorts as it has; of an image, by default of small gradients."""
    if rgb is None:
        y, x = np.mgrid[:72, :96]
        rgb = Image.fromarray(np.stack([x * 255 // 96, y * 255 // 72, (x * y) % 256], -1).astype(np.uint8))
    rgba, grey = rgb.copy(), rgb.convert("L")
    rgba.putalpha(grey)
    deep = np.asarray(rgb).astype(np.uint16) * 257
    profile, exif = made.matrix_profile(made.P3, 2.2), Image.Exif()
    exif[0x0112] = 6
    marked = {"icc_profile": profile, "exif": exif}
    blank = Image.new("RGB", rgb.size)
    frames = {"save_all": True, "append_images": [rgb, rgb.rotate(180)], "duration": 80}
    inks = {"icc_profile": made.cmyk_profile(3)}
    if kind == "png":
        chunks = {"iCCP": made.iccp(profile), "cICP": bytes([9, 16, 0, 1]), "sBIT": bytes([12, 12, 12])}
        files = [
            (rgb, marked),
            (rgba, {}),
            (rgb.quantize(64), {}),
            (grey, {}),
            (grey.convert("1"), {}),
            (blank, frames),
        ]
        return [_saved(image, "PNG", options) for image, options in files] + [made.png(deep, **chunks)]
    if kind == "jpg":
        files = [(rgb, marked), (rgb, {"progressive": True}), (grey, {}), (rgb.convert("CMYK"), inks)]
        return [_saved(image, "JPEG", options) for image, options in files]
    if kind == "webp":
        files = [(rgb, marked), (rgb, {"lossless": True}), (rgba, {}), (rgba, {"lossless": True}), (blank, frames)]
        return [_saved(image, "WEBP", options) for image, options in files]
    if kind == "gif":
        return [_saved(image, "GIF", options) for image, options in [(rgb, {}), (grey, {}), (blank, frames)]]
    lzw, jpeg, packed = ({"compression": way} for way in ("tiff_lzw", "jpeg", "packbits"))
    sixteen = Image.fromarray(deep[..., 0])
    files = [(rgb, marked), (rgb, lzw), (rgb, jpeg), (rgba, packed), (sixteen, {}), (rgb.convert("CMYK"), inks)]
    return [_saved(image, "TIFF", options) for image, options in [*files, (blank, {**frames, **lzw})]]


def _saved(image: Image.Image, kind: str, options: dict) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def mutant(kind: str, number: int, audio: list[bytes]) -> bytes:
    """The damaged file of that number: the same for ever."""
    rng = np.random.default_rng([FORMATS.index(kind), number])
    data = bytearray(audio[number % len(audio)])
    for _ in range(rng.integers(1, 4)):
        at, size = int(rng.integers(4, max(5, len(data)))), int(rng.integers(1, 40))
        if rng.random() < 0.5:
            at = min(at, int(rng.integers(4, 200)))  # heads hold what matters
        way = rng.integers(7)
        if way == 0:
            data[at : at + size] = rng.bytes(size)
        elif way == 1:
            del data[at:]
        elif way == 2:
            del data[at : at + size]
        elif way == 3:
            data[at:at] = data[at : at + size * 10]
        elif way == 4:
            data[at : at + 4] = struct.pack(">I", int(rng.choice([0, 1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF])))
        elif way == 5:
            data[at : at + size] = bytes(size)
        else:
            for place in rng.integers(0, len(data), size):
                data[place] ^= 1 << int(rng.integers(8))
    # Half of the damaged PNGs pass the check of their sums, so that the damage gets further.
    return _summed(bytes(data)) if kind == "png" and rng.random() < 0.5 else bytes(data)


def _summed(data: bytes) -> bytes:
    out, at = data[:8], 8
    while at + 12 <= len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        body = data[at + 4 : at + 8 + size]
        if at + 12 + size > len(data):
            break
        out += data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + size
    return out + data[at:]


# ---------------------------------------------------------------- the child


def child(kind: str, first: int, last: int, path: str) -> None:
    """Reads files first to last - 1, each through `path`; prints a line of JSON before and after each."""
    from vasa_jax import images
    from vasa_jax.errors import InputError

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    audio = seeds(kind)
    for number in range(first, last):
        with open(path, "wb") as file:
            file.write(mutant(kind, number, audio))
        print(json.dumps({"begins": number}), flush=True)
        lines, start, fault = [], time.process_time(), None
        signal.setitimer(signal.ITIMER_PROF, HANG)  # ends this process, whatever library it is in
        try:
            image = images.read_image(path, lines.append)
            end = "used"
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
                fault = f"pixels {image.dtype} {image.shape}"
        except InputError as error:
            end = "refused"
            lines = [str(error)]
            if path not in lines[0]:
                fault = f"no file named: {error}"
        except BaseException:
            end, fault = "fault", traceback.format_exc(limit=-3)
        if any("\n" in line or len(line) > 300 for line in lines):
            fault = f"more than a line: {lines}"
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        seconds = time.process_time() - start
        report = {"number": number, "end": end, "lines": len(lines), "seconds": seconds, "mib": peak, "fault": fault}
        print(json.dumps(report), flush=True)


# ---------------------------------------------------------------- the parent


def fuzz(kind: str, count: int, folder: str) -> Tally:
    """Sends `count` damaged files of a format through the reader."""
    tally, first = Tally(files=count), 0
    path = os.path.join(folder, f"mutant.{kind}")
    while first < count:
        command = [sys.executable, "-m", "tests.fuzz_pictures", "--child", kind, str(first), str(count), path]
        with open(os.path.join(folder, "stderr"), "w+") as errors:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
            first = _follow(process, kind, first, count, tally)
            process.kill()
            process.wait()
            process.stdout.close()
            errors.seek(0)
            if (text := errors.read().strip()) and not tally.faults:
                tally.faults.append(f"{kind}: on standard error: {text[:300]}")
    return tally


def _follow(process: subprocess.Popen, kind: str, first: int, count: int, tally: Tally) -> int:
    """Counts what the child tells; where to go on."""
    at, buffer = first, b""
    while True:
        ready, _, _ = select.select([process.stdout], [], [], _PATIENCE)
        data = os.read(process.stdout.fileno(), 1 << 16) if ready else b""
        if not data:
            if at < count:
                tally.faults.append(
                    f"{kind} {at}: "
                    + (f"the reader died, or took {HANG:.0f} s" if ready else f"no end in {_PATIENCE:.0f} s")
                )
            return at + 1
        *lines, buffer = (buffer + data).split(b"\n")
        for line in map(json.loads, lines):
            if "begins" in line:
                continue
            at = line["number"] + 1
            tally.used += line["end"] == "used"
            tally.used_with_a_line += line["end"] == "used" and line["lines"] > 0
            tally.refused += line["end"] == "refused"
            tally.slowest_seconds = max(tally.slowest_seconds, round(line["seconds"], 3))
            tally.peak_mib = max(tally.peak_mib, round(line["mib"], 1))
            if line["fault"] or line["seconds"] > HANG:
                tally.faults.append(f"{kind} {line['number']}: {line['fault'] or 'too slow'}")


# ---------------------------------------------------------------- the command


def commands(kind: str, count: int, folder: str) -> dict[str, int]:
    """Exit codes of vasa-generate for damaged portraits, counted; AssertionError where a refusal is not one line."""
    import soundfile

    from data_pipelines.synthetic.clip import make_clip
    from tests.experiments.test_generate import run

    made = os.path.join(folder, f"made_{kind}")
    os.mkdir(made)
    soundfile.write(os.path.join(folder, "speech.wav"), np.random.default_rng(0).uniform(-0.3, 0.3, 8000), 16_000)
    audio, cases = seeds(kind, Image.fromarray(make_clip(4, 4, 1, 160)["frames"][0])), []
    for number in range(1000, 1000 + count):
        path = os.path.join(folder, f"{number}.{kind}")
        with open(path, "wb") as file:
            file.write(mutant(kind, number, audio))
        words = {"portrait": path, "audio": os.path.join(folder, "speech.wav"), "output": f"{made}/{number}.mp4"}
        cases.append({"flags": [f"--{name}={value}" for name, value in words.items()], "folder": made})
    results = run(cases, os.path.join(folder, "keys"))
    for case, result in zip(cases, results, strict=True):
        assert result["code"] in (0, 3) and "Traceback" not in result["stderr"], (case, result)
        assert result["code"] == 0 or len(result["stderr"].strip().splitlines()) == 1, (case, result)
    counted = {f"exit {code}": sum(result["code"] == code for result in results) for code in (0, 3)}
    assert len(results[-1]["left"]) == counted["exit 0"]
    return {"files": count, **counted}


def main() -> None:
    """Writes the tallies of all formats."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--commands", type=int, default=20, help="files of each of png, jpg and webp")
    parser.add_argument("--result", default="")
    parser.add_argument("--child", nargs=4)
    flags = parser.parse_args()
    if flags.child:
        kind, first, last, path = flags.child
        child(kind, int(first), int(last), path)
        return
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        tallies = {kind: dataclasses.asdict(fuzz(kind, flags.count, folder)) for kind in FORMATS}
        ends = {kind: commands(kind, flags.commands, folder) for kind in COMMANDS} if flags.commands else {}
    known = {
        "command": f"python -m tests.fuzz_pictures --count={flags.count} --commands={flags.commands}",
        "date": datetime.date.today().isoformat(),
        "device": f"{platform.machine()}, {os.cpu_count()} cores",
        "limits": {"address_space_mib": MEMORY >> 20, "seconds": HANG},
    }
    text = json.dumps(known | {"formats": tallies, "vasa-generate": ends}, indent=1)
    print(text)
    if flags.result:
        with open(flags.result, "w") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
