"""Defaults and ranges of streams, for the command line, the Python API and the streams alike."""

TIMELINE_HOP_S, LIVE_HOP_S, MARGIN = 1.0, 0.5, 0.1
TIMELINE_HOP_RANGE_S, LIVE_HOP_RANGE_S = (0.1, 10.0), (0.1, 30.0)
WINDOW_RANGE_S, MARGIN_RANGE = (0.5, 30.0), (0.0, 1.0)
MAX_SPEAKERS = 100
