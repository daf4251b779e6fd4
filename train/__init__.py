"""An image set to a run folder: split, learning rate, training, figures."""
