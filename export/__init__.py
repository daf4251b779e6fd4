"""What a trained model is on disk: the only thing that `train` and `predict` share."""
