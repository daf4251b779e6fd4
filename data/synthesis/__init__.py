"""A source-filter speech synthesiser with emotional prosody."""
