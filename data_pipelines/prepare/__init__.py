"""Raw video to labelled, cropped clips: tracking, crops, labels, latents."""
