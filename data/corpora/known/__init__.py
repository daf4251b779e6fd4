"""Published corpora, one a file."""
