"""A slow reconstruction model that shares no code with the program, to test the program against."""
