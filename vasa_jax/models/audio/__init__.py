"""Audio encoders: sound in, one vector per video frame out."""
