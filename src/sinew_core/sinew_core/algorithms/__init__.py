"""Learning algorithms, one file each, and the mechanisms that they share."""
