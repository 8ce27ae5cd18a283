"""What every estimator of the package inherits: sounds in, results out, streams, derivatives, learning."""
