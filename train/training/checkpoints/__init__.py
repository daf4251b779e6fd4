"""Checkpoints: what a training that was interrupted needs, so that it goes on from its last epoch."""
