"""Speakers: enrolled voices, and those of a stream or of a recording, told apart and adapted to."""
