"""The physics: nuclides, decay, attenuation, collimators and scatter."""
