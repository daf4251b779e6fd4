"""From clips to images: image spec, audio, augmentation, features, renderer and image sets."""
