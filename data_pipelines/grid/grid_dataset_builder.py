"""TFDS builder; what the data set is stands in `data_pipelines.grid.grid`."""

from data_pipelines.grid import grid
from data_pipelines.prepare import builder


class Builder(builder.VideoBuilder):
    """See `data_pipelines.prepare.builder.VideoBuilder`."""

    DATA_SET = grid.DATA_SET
