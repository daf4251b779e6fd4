"""Predictions and segments in a terminal, in files and as plots."""
