"""Whether the views of an acquisition fit each other: motion, lost views, non-uniform detectors."""
