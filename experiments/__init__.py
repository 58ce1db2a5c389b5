"""Commands: `python -m experiments.NAME`, installed as `vasa-NAME`."""

from experiments.common import stopping

stopping.from_the_start()  # the first thing that a command does
