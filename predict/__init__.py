"""Sound to image to emotion: trained models at work."""
