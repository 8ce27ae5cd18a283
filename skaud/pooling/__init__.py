"""Statistics over time: of all frames at once or accumulated, and their adjoints."""
