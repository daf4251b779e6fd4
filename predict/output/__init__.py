"""What predictions look like: console, file formats, figures."""
