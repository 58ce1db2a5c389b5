"""A run that is killed: python -m tests.data_pipelines.prepare.killed_child VIDEOS TRACKS STAGING KILL_AT

Ends itself with SIGKILL in the middle of writing the result number KILL_AT.
"""

import os
import pathlib
import signal
import sys

from data_pipelines import datasets
from data_pipelines.prepare import backends, local, process, steps


def main(videos: str, tracks: str, folder: str, kill_at: str) -> None:
    moves, replace = [], os.replace

    def killing(source, target):
        moves.append(target)
        if len(moves) == int(kill_at):
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    os.replace = killing
    job = steps.Job(pathlib.Path(folder), backends.Spec(landmarks=tracks), process.Options(size=80))
    local.run(datasets.find_sources("grid", videos), job, 1, lambda outcome: None)


if __name__ == "__main__":
    main(*sys.argv[1:])
