"""One performance by many rigged heads."""
