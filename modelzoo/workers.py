"""Independent pieces of work in several processes, each leaving a file; resumable."""

from __future__ import annotations

import os

import torch


def one_thread() -> None:
    """Make this process, one of several that share the processors, compute with one thread.

    To be called before numba is imported: it would start a thread a processor, and make torch
    compute with as many.
    """
    os.environ["NUMBA_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
