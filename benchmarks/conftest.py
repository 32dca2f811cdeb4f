"""The device that everything is timed on."""

import pytest
import torch


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", default="cpu", help="cpu or cuda")


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> str:
    name = request.config.getoption("--device")
    if name == "cuda" and not torch.cuda.is_available():
        pytest.exit("--device cuda, but torch sees no CUDA device", returncode=2)
    # On an Ampere or later, cuDNN takes TF32 by default: float32 is float32 unless a table says so.
    torch.backends.cudnn.allow_tf32 = False
    # By default cuDNN guesses how to convolve, and guesses far off for some batches and not others.
    torch.backends.cudnn.benchmark = True
    return name


@pytest.fixture(scope="session", autouse=True)
def worked_before() -> None:
    """Brings the allocator where a process has it that has been working for a while.

    glibc keeps large blocks for reuse only after it has seen some freed; until then every method
    pays for fresh pages, more of it the larger its blocks are.
    """
    for _ in range(3):
        blocks = [torch.ones(7 << 20) for _ in range(4)]
        del blocks
