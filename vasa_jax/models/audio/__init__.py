"""Audio encoders: audio in, one vector per video frame out."""
