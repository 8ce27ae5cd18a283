"""Chains of stages on channels side by side: steps and their adjoints a file a stage, loops around them once."""
