"""The groups of corruptions, for `--corruptions`; apart from the corruptions, which import SciPy."""

CLEAN = "clean"
GROUPS = ("gain", "noise", "babble", "microphone", "room", "distance", "codec", "channel")
