"""The synthesised voice that is part of the package: a sound to begin with, until there is one of your own."""

from pathlib import Path

EXAMPLE_NAME = "03-01-05-02-01-01-01"
"""Of the recording of `ser-images synthesize` that it is, at 16 kHz."""


def example() -> Path:
    """The path of a synthesised voice that is part of the package: an angry sentence of 2 s. Nobody spoke.

    Example:
        >>> import ser_images
        >>> prediction = ser_images.load("runs/first")(ser_images.example())
        >>> round(prediction.duration_s, 1)
        1.9
    """
    return Path(__file__).with_name("example.flac")
