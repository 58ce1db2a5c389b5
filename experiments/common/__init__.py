"""What the commands share: none of these is run by itself."""
