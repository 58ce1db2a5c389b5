"""Suites of `vasa-benchmark`: one module each, named like the suite; its `run(options)` returns the report."""
