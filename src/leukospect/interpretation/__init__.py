"""Named, published rules and the flag they give."""
