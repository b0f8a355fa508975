"""System identification: parameters of a simulated arm from a recorded motion, with confidence."""
