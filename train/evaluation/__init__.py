"""Predictions to metrics, intervals, calibration and plots."""
