"""One thread for each process, before torch and BLAS start theirs, which would contend."""

import os

os.environ["OMP_NUM_THREADS"] = "1"
