"""ShiftSmooth by its definition: a loop over shifts that moves every number by its index."""

import numpy as np
import torch


def _sources(length, n, shifts, region, edges):
    """For each position of the copy shifted by n, the position of the original it shows."""
    if edges == "flanks":
        reach = max(abs(m) for m in shifts)
        return [reach - n + j for j in range(length - 2 * reach)]
    start, stop = region or (0, length)
    inside = [start + (j - start - n) % (stop - start) for j in range(start, stop)]
    return [*range(start), *inside, *range(stop, length)]


def _grid(x, dims, n, shifts, region, edges):
    axes = [np.arange(size) for size in x.shape]
    for dim in dims:
        axes[dim] = np.array(_sources(x.shape[dim], n, shifts, region, edges))
    return np.ix_(*axes)


def naive(
    attribute, inputs, shifts, dims, *, region=None, edges="circular", reduction="mean", total=None
):
    """Moves every number by its index, shift after shift, and averages in float64.

    Args:
        attribute: (copies, move) -> attributions shaped like the copies; `move(tensor, *dims)`
            gives whatever else is shifted, at the same shift.
        inputs: A tuple of tensors.
        shifts: The shifts.
        dims: For each input a tuple of dimensions.
        region: As for ShiftSmooth, and so edges and reduction.
        edges: See above.
        reduction: See above.
        total: Shapes of the result, where they are not those of the inputs.
    """
    like = inputs if total is None else total
    first, second, count = ([np.zeros(x.shape) for x in like] for _ in range(3))
    for n in shifts:

        def move(x, *axes, n=n):
            grid = _grid(x, axes, n, shifts, region, edges)
            return x.detach()[tuple(torch.from_numpy(index) for index in grid)]

        found = attribute(tuple(move(x, *d) for x, d in zip(inputs, dims)), move)
        for i, (a, d) in enumerate(zip(found, dims)):
            grid = _grid(like[i], d, n, shifts, region, edges)
            a = a.detach().double().numpy()
            np.add.at(first[i], grid, a)
            np.add.at(second[i], grid, a * a)
            np.add.at(count[i], grid, 1)
    mean, square = (
        [t / np.maximum(c, 1) for t, c in zip(totals, count)] for totals in (first, second)
    )
    result = {
        "mean": mean,
        "mean_square": square,
        "variance": [s - m * m for s, m in zip(square, mean)],
    }[reduction]
    return tuple(torch.from_numpy(r) for r in result)


def gradient(f, abs=False):
    """For `naive`: the gradient of f, example after example; f gives one number an example."""

    def attribute(copies, move=None):
        rows = []
        for b in range(copies[0].size(0)):
            leaves = [c[b : b + 1].clone().requires_grad_() for c in copies]
            f(*leaves).sum().backward()
            rows.append([leaf.grad for leaf in leaves])
        found = tuple(torch.cat(column) for column in zip(*rows))
        return tuple(g.abs() for g in found) if abs else found

    return attribute
