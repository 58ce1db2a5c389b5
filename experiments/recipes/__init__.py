"""Recipes: what `vasa-recipe` does one after the other, from raw data to a release (docs/recipe.md).

NAME.toml: a recipe, with every number in it.
reading: the file as values, checked as a whole before any work; part_config: the configuration of one of its parts.
planning: its parts as commands, with what they are made from; record: what is done.
running: the commands as child processes, with progress over all of them; telling: metrics, and what was expected.
"""
