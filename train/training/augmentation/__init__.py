"""What each training image goes through on its way into the network, drawn anew each time."""
