"""Speaker adaptation: the mean embedding of a speaker, and a head for embeddings minus that mean."""
