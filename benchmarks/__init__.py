"""Benchmarks beside the peers: `./sinew bench [NAME]`."""
