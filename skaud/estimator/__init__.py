"""Bases of all estimators, and what they compute: sounds in, responses, derivatives, streams out."""
