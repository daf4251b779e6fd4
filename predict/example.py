"""The synthesised voice that is part of the package: a sound to begin with, until there is one of your own."""

from pathlib import Path

EXAMPLE = Path(__file__).with_name("example.flac")
"""A few seconds, 16 kHz: `EXAMPLE_NAME` of `ser-images synthesize`. Nobody spoke."""
EXAMPLE_NAME = "03-01-05-02-01-01-01"
