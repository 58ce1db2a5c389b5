"""Rigged heads (VALID, Do et al. 2023) that act to the project's own speech."""
