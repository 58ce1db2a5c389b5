"""Signals at every moment of the real commands: Ctrl-C mostly, some TERM and HUP.

    python -m tests.sweep_stops --tries=60 --whole=12 --train=6 --result=experiments/results/stopping.json

Moments are spread over the processor time that an undisturbed run takes, since the machine may be busy (Linux tells
it); they fall evenly however many tries were made, and the result is written after each one.
vasa-generate runs with the bundled weights in `whole` of its tries and with stand-in models, which compile and load in
a second, in the others; all else is the command's own. vasa-train runs the loop's toy task. A try is right when the
exit code is the signal's (42 of vasa-train) and nothing half-made stays, or when the command had told that it was done
before the signal came, and its video is there: the interpreter's end takes a fifth of the time.
"""

import argparse
import collections
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import jax

from vasa_jax.files import write_json

Note = Callable[[float, dict], None]
ROOT = Path(__file__).resolve().parents[1]
SIGNALS = (signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGINT, signal.SIGHUP)
LONGEST = 600.0  # seconds by the wall
WHOLE = "from experiments import generate\ngenerate.run()\n"
STAND_IN = """
from experiments import generate
work = generate._generate
def with_stand_ins(*words):
    from tests.inference.stand_ins import talking_face
    from vasa_jax.inference.talking_face import TalkingFace
    TalkingFace.load = classmethod(lambda cls, path, speech_model=None: talking_face())
    return work(*words)
generate._generate = with_stand_ins
generate.run()
"""
TRAIN = """
from experiments import train
def make_task(config, stats):
    from tests.training import toy
    return toy.make()
train.tasks.make_task = make_task
class Stream:
    damaged = {}
    def iterate(self, start):
        from tests.training import toy
        return toy.stream(start)
train.make_stream = lambda config, split: Stream()
train.run()
"""
CONFIG = """
from tests.training import toy
def get_config():
    config = toy.config(steps={steps}, checkpoint_every=40, log_every=1, eval_every=1000)
    config.task = "face"
    config.model = {{"size": 8}}
    return config
"""


def start(script: Path, words: list[str]) -> subprocess.Popen:
    """The command, with signals as a shell would have them."""

    def heed() -> None:
        for number in set(SIGNALS):
            signal.signal(number, signal.SIG_DFL)

    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, str(script), *words]
    with open(script.with_suffix(".out"), "wb") as out:
        streams = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, cwd=ROOT, env=environment, preexec_fn=heed, **streams)


def spent(child: subprocess.Popen) -> float:
    """Seconds of processor time."""
    fields = Path(f"/proc/{child.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def stopped(script: Path, words: list[str], number: int, moment: float) -> dict:
    """Sends the signal at that moment of the command's processor time; what came of it."""
    child = start(script, words)
    begun = time.monotonic()
    while child.poll() is None and spent(child) < moment and time.monotonic() - begun < LONGEST:
        time.sleep(0.005)
    sent, told = time.monotonic(), script.with_suffix(".out").read_text()
    child.send_signal(number)
    try:
        _, err = child.communicate(timeout=LONGEST)
    finally:
        child.kill()
    seconds = round(time.monotonic() - sent, 2)
    row = {"signal": signal.Signals(number).name, "at_cpu_seconds": round(moment, 2)}
    return row | {
        "exit": child.returncode,
        "seconds_to_end": seconds,
        "told": told,
        "said": err.decode(errors="replace"),
    }


def undisturbed(script: Path, words: list[str]) -> float:
    """Seconds of processor time of a whole run, the second one: what it compiles is kept."""
    for _ in range(2):
        before = os.times()
        done = start(script, words)
        _, err = done.communicate()
        assert done.returncode == 0, err.decode()
        after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def last_word(said: str) -> str:
    """What stands on the last line, which a progress bar may have begun."""
    return said.strip().replace("\r", "\n").split("\n")[-1] if said.strip() else ""


def moment(k: int, whole: float) -> float:
    """The moment of try k: multiples of the golden section fall evenly into every stretch of time."""
    return whole * ((k + 0.5) * 0.6180339887 % 1)


def generate_tries(folder: Path, text: str, moments: int, note: Note) -> None:
    """Tries of vasa-generate."""
    script = folder / "vasa-generate"
    script.write_text(text)
    made = folder / "made"
    made.mkdir()
    files = {"portrait": "portrait.jpg", "audio": "speech.flac"}
    words = [f"--{name}={ROOT / 'vasa_jax' / 'assets' / file}" for name, file in files.items()]
    words[1] = f"--audio={folder / 'short.wav'}"
    _shorten(ROOT / "vasa_jax" / "assets" / files["audio"], folder / "short.wav")
    words += [f"--output={made / 'o.mp4'}", "--steps=2"]
    whole = undisturbed(script, words)
    for k in range(moments):
        for path in made.iterdir():
            path.unlink()
        number = SIGNALS[k % len(SIGNALS)]
        row = stopped(script, words, number, moment(k, whole))
        left = sorted(path.name for path in made.iterdir())
        ended = row["exit"] == 128 + number and last_word(row["said"]) == "interrupted" and not left
        done = "frames (" in row.pop("told")
        whole_video = done and row["exit"] == 0 and left == ["o.mp4"]
        note(whole, _judged(row | {"done_before": done, "left": left}, ended or whole_video))


def _shorten(source: Path, target: Path) -> None:
    import soundfile

    samples, rate = soundfile.read(source)
    soundfile.write(target, samples[: rate // 2], rate)


def train_tries(folder: Path, moments: int, note: Note) -> None:
    """Tries of vasa-train."""
    script, config = folder / "vasa-train", folder / "config.py"
    script.write_text(TRAIN)
    config.write_text(CONFIG.format(steps=60))
    whole = undisturbed(script, [f"--config={config}", f"--workdir={folder / 'undisturbed'}"])
    config.write_text(CONFIG.format(steps=10**6))
    for k in range(moments):
        run = folder / str(k)
        words = [f"--config={config}", f"--workdir={run}"]
        row = stopped(script, words, SIGNALS[k % len(SIGNALS)], moment(k, 1.2 * whole))
        trained, saved = last_trained(run), last_saved(run)
        row |= {"trained_to": trained, "saved_at": saved}
        del row["told"]
        note(whole, _judged(row, row["exit"] == 42 and saved >= trained and not _unfinished(run)))


def last_trained(run: Path) -> int:
    """The last step that metrics tell of; 0 where none does."""
    path = run / "metrics.jsonl"
    steps = [json.loads(line)["step"] for line in path.read_text().splitlines()] if path.exists() else []
    return max(steps, default=0)


def last_saved(run: Path) -> int:
    folder = run / "checkpoints"
    return max((int(path.name) for path in folder.glob("*") if path.name.isdigit()), default=0)


def _unfinished(run: Path) -> list[Path]:
    return list(run.rglob("*.tmp*"))


def _judged(row: dict, right: bool) -> dict:
    right = right and "Traceback" not in row["said"]
    row |= {"said": row["said"] if not right else last_word(row["said"]), "right": right}
    print(row, flush=True)
    return row


def summary(whole: float, rows: list[dict]) -> dict:
    """Tries counted by signal and exit code."""
    counted = collections.Counter(f"{row['signal']} -> exit {row['exit']}" for row in rows)
    slowest = max((row["seconds_to_end"] for row in rows), default=0.0)
    numbers = {"tries": len(rows), "right": sum(row["right"] for row in rows), "outcomes": dict(counted)}
    return numbers | {"cpu_seconds_undisturbed": round(whole, 2), "slowest_seconds_to_end": slowest, "each": rows}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", type=int, default=60, help="of vasa-generate")
    parser.add_argument("--whole", type=int, default=12, help="of them, with the bundled weights")
    parser.add_argument("--train", type=int, default=6, help="of vasa-train")
    parser.add_argument("--result", type=Path, required=True)
    asked = parser.parse_args()
    report: dict = {
        "command": "python -m tests.sweep_stops " + " ".join(sys.argv[1:]),
        "date": time.strftime("%Y-%m-%d"),
        "device": f"{platform.machine()}, {os.cpu_count()} cores",
        "versions": {"python": platform.python_version(), "jax": jax.__version__},
    }
    parts = {
        "vasa-generate, stand-in models": (generate_tries, STAND_IN, asked.tries - asked.whole),
        "vasa-train, toy task": (train_tries, asked.train),
        "vasa-generate, bundled weights": (generate_tries, WHOLE, asked.whole),
    }
    for name, (tries, *how) in parts.items():
        if how[-1]:
            rows: list[dict] = []

            def note(whole: float, row: dict, name: str = name, rows: list[dict] = rows) -> None:
                rows.append(row)
                report[name] = summary(whole, rows)
                write_json(asked.result, report)

            with tempfile.TemporaryDirectory() as folder:
                tries(Path(folder), *how, note)


if __name__ == "__main__":
    main()
