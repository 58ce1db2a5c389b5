"""vasa-plan's parts: chips, programs compiled for machines that are not there, and what can be read from them."""
