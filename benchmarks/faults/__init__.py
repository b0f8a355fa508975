"""Faults injected into the running graph, each with real processes, and what comes of them."""
