"""Fitting: parameters of a model from labels, from responses."""
