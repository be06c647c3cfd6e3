"""Compiled loops for reconstruction and CT: arrays in, arrays out, forward and adjoint beside each other."""
