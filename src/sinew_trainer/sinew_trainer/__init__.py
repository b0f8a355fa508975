"""Trainer and evaluator nodes, and the job that runs both."""
