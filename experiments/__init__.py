"""Commands: `python -m experiments.NAME`, installed as `vasa-NAME`."""
