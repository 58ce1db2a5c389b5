"""The same work as Apache Beam transforms, for Flink, Spark or Dataflow. Needs the package apache-beam.

    pipeline | beam.Create(sources) | Prepare(job)

gives a PCollection of `Outcome`; the results lie in `job.staging`, which all workers must see (a shared file system).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from data_pipelines.prepare.source import Source
from data_pipelines.prepare.steps import Job, Outcome, Worker


class Prepare(beam.PTransform):
    """Sources to outcomes."""

    def __init__(self, job: Job):
        super().__init__()
        self._job = job

    def expand(self, sources: beam.PCollection) -> beam.PCollection:
        """Spreads the sources over all workers, whatever order they came in."""
        return sources | "Spread" >> beam.Reshuffle() | "Process" >> beam.ParDo(Process(self._job))


class Process(beam.DoFn):
    """One source to its outcome; a tracker for each copy of this."""

    def __init__(self, job: Job):
        self._job = job

    def setup(self) -> None:
        """Makes the worker."""
        self._worker = Worker(self._job)

    def process(self, source: Source) -> Iterator[Outcome]:
        """See `Worker.do`."""
        outcome = self._worker.do(source)
        beam.metrics.Metrics.counter("prepare", "clips").inc(outcome.clips)
        beam.metrics.Metrics.counter("prepare", "dropped").inc(outcome.dropped)
        yield outcome

    def teardown(self) -> None:
        """Closes the tracker."""
        self._worker.close()


def run(
    sources: Iterable[Source], job: Job, flags: Sequence[str] = (), see: Callable[[Outcome], None] | None = None
) -> None:
    """Runs the pipeline to its end.

    Args:
      sources: what to work on.
      job: what to do.
      flags: Beam's own, for instance --runner=FlinkRunner --flink_master=HOST:8081.
      see: is told each outcome; only for runners that work in this process.
    """
    with beam.Pipeline(options=PipelineOptions(list(flags))) as pipeline:
        outcomes = pipeline | beam.Create(list(sources)) | Prepare(job)
        if see is not None:
            _ = outcomes | beam.Map(see)
