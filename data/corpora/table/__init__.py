"""Corpora described by a table: CSV, TSV, JSON Lines, Parquet, an AudioFolder or an audformat database."""
