"""Sound to picture to emotion."""
