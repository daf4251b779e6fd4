"""The bundle on disk: its files, their integrity, the run folder, the model card."""
