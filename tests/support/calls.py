"""Any call that ShiftSmooth takes, on small inputs, and what it must give."""

from dataclasses import dataclass

import torch
from hypothesis import strategies as st

from tests.support.naive import naive


@dataclass
class Call:
    """Inputs, their dims and the keyword arguments of `attribute`."""

    inputs: tuple[torch.Tensor, ...]
    dims: tuple[tuple[int, ...], ...]
    shifts: list[int]
    edges: str
    region: tuple[int, int] | None
    shifts_per_eval: int | None

    @property
    def options(self):
        """The keyword arguments."""
        return {
            "dim": self.dims,
            "shifts": self.shifts,
            "edges": self.edges,
            "region": self.region,
            "shifts_per_eval": self.shifts_per_eval,
        }

    @property
    def windows(self):
        """The shapes of what the model sees of each input, without the batch."""
        reach = max(abs(n) for n in self.shifts) if self.edges == "flanks" else 0
        return [
            [size - 2 * reach * (d - x.dim() in axes) for d, size in enumerate(x.shape) if d]
            for x, axes in zip(self.inputs, self.dims)
        ]

    def naive(self, attribute, **options):
        """The naive loop over this call."""
        return naive(
            attribute,
            self.inputs,
            self.shifts,
            self.dims,
            region=self.region,
            edges=self.edges,
            **options,
        )


@st.composite
def calls(draw):
    """A call on one to three inputs of up to three dimensions."""
    batch = draw(st.integers(1, 3))
    inputs, dims = [], []
    for _ in range(draw(st.integers(1, 3))):
        shape = draw(st.lists(st.integers(1, 8), min_size=1, max_size=3))
        axes = draw(st.lists(st.integers(-len(shape), -1), unique=True, max_size=2))
        generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
        inputs.append(torch.randn(batch, *shape, generator=generator, dtype=torch.float64))
        dims.append(tuple(axes))
    length = min((x.size(d) for x, axes in zip(inputs, dims) for d in axes), default=4)
    edges = draw(st.sampled_from(["circular", "flanks"]))
    region = None
    if edges == "flanks":
        bound = (length - 1) // 2
    else:
        start = draw(st.integers(0, length - 1))
        stop = draw(st.integers(start + 1, length))
        region = draw(st.sampled_from([None, (start, stop)]))
        bound = (length if region is None else stop - start) - 1
    shifts = draw(st.lists(st.integers(-bound, bound), unique=True, min_size=1, max_size=5))
    at_once = draw(st.one_of(st.none(), st.integers(1, len(shifts) + 1)))
    return Call(tuple(inputs), tuple(dims), shifts, edges, region, at_once)
