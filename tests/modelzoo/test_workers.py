import subprocess
import sys


def test_a_worker_has_one_thread_whatever_numba_does():
    code = """
import torch
from modelzoo.workers import one_thread
one_thread()
from memelite import tomtom
motif = torch.eye(4, 8).numpy() + 0.1
tomtom([motif], [motif])
import numba
print(numba.get_num_threads(), torch.get_num_threads())
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["1", "1"]
