"""Shared by all packages: errors, folders, the command line, progress."""
