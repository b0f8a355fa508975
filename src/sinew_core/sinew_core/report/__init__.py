"""Reports that a person reads: one self-contained page with its figures inside."""
