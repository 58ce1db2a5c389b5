"""Denoising diffusion: noise schedule, classifier-free guidance, sampler."""
