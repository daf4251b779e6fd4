"""Speakers: enrolled voices, and those of a stream or of a recording, distinguished and adapted to."""
