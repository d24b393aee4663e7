"""The domain: energy, jobs, contracts, and the agents that negotiate them.

Linear algebra is left to one thread, which has to be said before NumPy or SciPy is loaded, so it is said here: sums
that several threads share out depend on how many cores there are, and with them could a plan. It is quicker, too:
the matrices of a decision are so small that sharing them out takes ten times as long as working them off.
"""

import os

import lazy_loader

for _variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ.setdefault(_variable, "1")


__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
