"""Networks that read the image's rows as features over time."""
