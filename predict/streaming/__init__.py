"""Speech detection, windows and segments over a stream of samples."""
