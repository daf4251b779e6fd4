"""What the rows of an image are: log-mel, filterbank, MFCC, gammatone-like and stacked features."""
