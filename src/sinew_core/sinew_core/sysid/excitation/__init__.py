"""Motions that make the parameters of an arm show, inside the limits of the safety filter."""
