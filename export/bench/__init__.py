"""Compare every format of a model side by side."""
