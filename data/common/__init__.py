"""Shared by all packages: errors, folders, paths, the command line, requirements and progress."""
