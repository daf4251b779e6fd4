"""What the corpora are: clips, labels, splits, downloads and the synthetic voices. Code only."""
