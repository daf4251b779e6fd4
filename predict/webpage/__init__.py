"""The page as a folder of static files: its code, the network of a model, and what is known of the model."""
