"""One data set of a mixture: its clips, the order they come in, and what of it cannot be read."""

import threading

from absl import logging

from data_pipelines import order, records
from data_pipelines.latent_cache import LatentSplit
from vasa_jax.errors import InputError


class Domain:
    """Clips with an order.

    A damaged record is replaced by the next readable clip of the same speaker, in the order of storage. That depends
    on the bytes on disk alone, so every host, every engine and every resume substitutes alike. Each damaged record is
    logged once; when there are too many of them, reading stops with an error.

    Args:
      name: of the data set, for messages.
      source: its clips.
      order: in which they come.
      max_damaged: share of the clips that may be damaged, at least one clip; 0: none may.

    Attributes:
      damaged: numbers of the records found to be damaged so far, by this process.
    """

    def __init__(
        self,
        name: str,
        source: records.RecordSplit | LatentSplit,
        clip_order: order.ClipOrder,
        max_damaged: float = 0.01,
    ):
        self.name, self.source, self.order = name, source, clip_order
        self._allowed = max(1, int(max_damaged * len(source))) if max_damaged > 0 else 0
        self.damaged: set[int] = set()
        self._lock = threading.Lock()

    def read(self, index: int) -> tuple[int, records.Clip]:
        """The clip of a number, or the one that stands in for it; with the number of the clip returned.

        Raises:
          InputError: too many records are damaged, or all of a speaker are.
        """
        at = index
        while True:
            try:
                return at, self.source[at]
            except records.DamagedRecordError as error:
                self._count(error)
            at = self.order.next_of_speaker(at)
            if at == index:
                speaker = self.source.speakers[index]
                raise InputError(f"{self.source.folder}: every record of speaker {speaker} is damaged; copy it again")

    def _count(self, error: records.DamagedRecordError) -> None:
        with self._lock:
            if error.index in self.damaged:
                return
            self.damaged.add(error.index)
            count = len(self.damaged)
        logging.warning("%s: skipped, %d so far: %s", self.name, count, error)
        if count > self._allowed:
            raise InputError(
                f"data set {self.name}: {count} of {len(self.source)} records are damaged, more than the "
                f"{self._allowed} that max_damaged allows; the last: {error}"
            ) from error
