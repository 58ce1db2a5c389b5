"""Photographs and paintings of many people, with notes that say whose they are."""
