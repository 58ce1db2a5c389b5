"""A page that shows what a talking face does: images, audio, measurements and timings in one self-contained file."""
