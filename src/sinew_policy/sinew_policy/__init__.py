"""Policy node: a policy bundle to commands at the control rate."""
