"""The runner that needs nothing installed: a pool of processes on this machine."""

import collections
import concurrent.futures
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures.process import BrokenProcessPool

from data_pipelines.prepare import staging, stretches
from data_pipelines.prepare.source import Dropped, Processed, Source
from data_pipelines.prepare.steps import Job, Outcome, Worker

_worker: Worker | None = None


def run(sources: Iterable[Source], job: Job, processes: int, see: Callable[[Outcome], None]) -> None:
    """Does the job for all sources, in any order; the results lie in `job.staging`.

    Args:
      sources: what to work on.
      job: what to do.
      processes: 1 works in this process.
      see: is told each outcome as it comes.

    Raises:
      InputError: see `Worker.do`; what was done until then stays.
    """
    if processes > 1:
        left = _run_pool(list(sources), job, processes, see)
        for source in left:  # a worker died: whoever kills one again, alone, is the one to leave out
            if _run_pool([source], job, 1, see):
                see(_give_up(source, job))
        return
    worker = Worker(job)
    try:
        for source in sources:
            see(worker.do(source))
    finally:
        worker.close()


def _run_pool(sources: list[Source], job: Job, processes: int, see: Callable[[Outcome], None]) -> list[Source]:
    """Works with a pool until it ends or breaks; returns the sources that were not done."""
    waiting, running = collections.deque(sources), {}
    # Not forked: the parent may hold threads of other libraries, which forking does not carry over.
    context = multiprocessing.get_context("spawn")
    pool = concurrent.futures.ProcessPoolExecutor(processes, context, _begin, (job, os.getpid()))
    broken = []
    try:
        while waiting or running:
            while waiting and len(running) < 2 * processes and not broken:
                source = waiting.popleft()
                try:
                    running[pool.submit(_do, source)] = source
                except BrokenProcessPool:  # a worker died since we last looked
                    broken.append(source)
            done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                source = running.pop(future)
                try:
                    see(future.result())
                except BrokenProcessPool:
                    broken.append(source)
            if broken and not running:
                if processes == 1 or not waiting:
                    return broken + list(waiting)
                suspects, broken = broken, []
                pool.shutdown()
                pool = concurrent.futures.ProcessPoolExecutor(processes, context, _begin, (job, os.getpid()))
                for source in suspects:
                    if _run_pool([source], job, 1, see):
                        see(_give_up(source, job))
        return broken
    except BaseException:  # Ctrl-C: what a process is at is begun again by the next run, so it need not be waited for
        for process in list((pool._processes or {}).values()):
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _give_up(source: Source, job: Job) -> Outcome:
    """Records a source whose video ends the process that reads it (a fault of a decoder, or no memory left)."""
    for stretch in stretches.split(source):
        made_from = job.made_from(stretch)
        if staging.read_summary(job.staging, stretch, made_from) is None:
            reason = "crashed its reader: the process that decoded it ended; leave it out or convert it"
            staging.write(job.staging, stretch, Processed(dropped=[Dropped(stretch.name, reason)]), made_from)
    return Outcome(source.name, 0, 1, False)


def _begin(job: Job, parent: int) -> None:
    """In each process of a pool. It ends when the parent has gone: a killed run leaves no workers behind."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the parent ends them
    _worker = Worker(job)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _do(source: Source) -> Outcome:
    return _worker.do(source)
