"""Models that are part of the package: a folder for each name and version, with a licence of its own."""
