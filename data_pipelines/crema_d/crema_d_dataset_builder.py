"""TFDS builder; what the data set is stands in `data_pipelines.crema_d.crema_d`."""

from data_pipelines.crema_d import crema_d
from data_pipelines.prepare import builder


class Builder(builder.VideoBuilder):
    """See `data_pipelines.prepare.builder.VideoBuilder`."""

    DATA_SET = crema_d.DATA_SET
