"""Engines: designs made ready to run, forwards and backwards; no estimator inside."""
