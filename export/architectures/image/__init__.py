"""Networks that read the image as an image."""
