"""Clips to an image set on disk: plan, render, manifest."""
