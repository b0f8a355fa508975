"""Speed and memory of the learners, beside Stable-Baselines3."""
