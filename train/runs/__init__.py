"""Run folders: recipes, folds, records, finished results."""
