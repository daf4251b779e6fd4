"""Trained models on disk: architectures, bundles and formats; the only thing that `train` and `predict` share."""
