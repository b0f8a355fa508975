"""Excitation, bag recording, system identification, and the gap between an arm and its model."""
