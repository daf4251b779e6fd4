"""Clips to pictures: the image spec, the sound, its augmentation, its features, the picture."""
