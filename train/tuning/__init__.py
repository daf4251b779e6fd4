"""Hyperparameter search: ranges of a search file, trials of a study, and what they found."""
