"""System identification against arms whose parameters are known."""
