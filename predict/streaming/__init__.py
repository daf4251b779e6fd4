"""A stream of sound to segments of emotion: speech detection, windows, classification, smoothing."""
