"""Deployment to an arm: what is checked before and while it moves, and what is reported of it."""
