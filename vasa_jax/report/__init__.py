"""A page that shows what a talking face does: pictures, sound, measurements and timings in one self-contained file."""
