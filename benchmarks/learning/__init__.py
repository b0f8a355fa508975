"""What learning comes to on standard tasks, beside Stable-Baselines3."""
