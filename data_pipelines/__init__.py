"""From raw video to batches: preparation, one TFDS builder a dataset, and the clip stream."""
