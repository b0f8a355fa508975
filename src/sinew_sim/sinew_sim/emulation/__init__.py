"""Drivers that behave as those of real arms do, where they differ from the plain simulated one."""
