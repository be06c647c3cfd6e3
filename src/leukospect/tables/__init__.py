"""Constants, each file with its source in the header."""
