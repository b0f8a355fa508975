"""Training: configuration, progress, workers and the loop."""
