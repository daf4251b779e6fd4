"""The microphone and live classification."""
