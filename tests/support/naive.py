"""ShiftSmooth by its definition: a loop over shifts that moves every number by its index."""

import warnings

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
    attribute,
    inputs,
    shifts,
    dims,
    *,
    region=None,
    edges="circular",
    reduction=np.nanmean,
    total=None,
):
    """Moves every number by its index, shift after shift, and reduces in float64.

    Args:
        attribute: (copies, move) -> attributions shaped like the copies; `move(tensor, *dims)`
            gives whatever else is shifted, at the same shift.
        inputs: A tuple of tensors.
        shifts: The shifts.
        dims: For each input a tuple of dimensions.
        region: As for ShiftSmooth, and so edges.
        edges: See above.
        reduction: A function of NumPy over axis 0, of values that are nan where no window was.
        total: Shapes of the result, where they are not those of the inputs.
    """
    shifts = list(shifts)
    like = inputs if total is None else total
    each = [np.full((len(shifts), *x.shape), np.nan) for x in like]
    for s, n in enumerate(shifts):

        def move(x, *axes, n=n):
            grid = _grid(x, axes, n, shifts, region, edges)
            return x.detach()[tuple(torch.from_numpy(index) for index in grid)]

        found = attribute(tuple(move(x, *d) for x, d in zip(inputs, dims)), move)
        for i, (a, d) in enumerate(zip(found, dims)):
            grid = _grid(like[i], d, n, shifts, region, edges)
            each[i][s][grid] = a.detach().double().numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all nan: no window was there
        return tuple(torch.from_numpy(np.nan_to_num(reduction(e, axis=0))) for e in each)


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
