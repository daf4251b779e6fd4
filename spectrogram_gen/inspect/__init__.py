"""Surveys and figures of a corpus."""
