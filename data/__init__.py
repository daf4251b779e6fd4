"""Corpora, clips, labels, splits, downloads and synthetic voices. Code only."""
