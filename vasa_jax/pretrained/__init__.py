"""Published networks that training compares images by, and how their files are read without PyTorch.

None is shipped or fetched (docs/training.md says where each is published); without them training uses
`losses.perceptual.OWN`.
"""
