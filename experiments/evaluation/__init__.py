"""The suites of vasa-evaluate: one file per suite, and what they share."""
