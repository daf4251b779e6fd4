"""Loggers: the progress of a training, for other programs, while it runs."""
