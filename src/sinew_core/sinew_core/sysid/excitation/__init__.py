"""Excitation: motions that make the parameters of an arm show, inside the safety filter's limits."""
