"""Features: log-mel, filterbank, MFCC, Gaussian cepstra and stacked features; `table` lists them."""
