"""Measures of an attribution: is it stable, faithful, in the right place?

Pure functions of tensors. Each takes a batch and returns one number per example (or per example and
trial) in float64. None of them knows ShiftSmooth: an explainer is any callable that takes a batch
of inputs and returns a batch of attributions.

=======================  =================================================  =======
question                 function                                           range
=======================  =================================================  =======
stable?                  `shift_stability`, `mutation_stability`            [-1, 1]
faithful?                `faithfulness`                                     [-1, 1]
faithful, no reference?  `evalattai`                                        a curve
in the right place?      `auroc`, `average_precision`, `top_k_hit_rate`     [0, 1]
=======================  =================================================  =======

An example for which a number has no meaning (a correlation with a constant, a location score for an
empty mask) gives nan, so that one such example does not stop a batch: average with `torch.nanmean`.
A NaN or infinity in an attribution is an error: a model that overflows has a bug, which no score of
an explanation should hide.

`captum.metrics.infidelity` and `captum.metrics.sensitivity_max` answer two more questions and
take ShiftSmooth as they take any method of Captum.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .shifts import Shifts

__all__ = [
    "auroc",
    "average_precision",
    "evalattai",
    "faithfulness",
    "mutation_stability",
    "shift_stability",
    "top_k_hit_rate",
]

Explainer = Callable[[Tensor], Tensor]


def shift_stability(
    explain: Explainer,
    inputs: Tensor,
    shifts: Sequence[int] = (-5, -2, -1, 1, 2, 5),
    *,
    dim: int = -1,
    edges: str = "circular",
    correlation: str = "pearson",
) -> Tensor:
    """Correlate the attribution of each input with those of the same input in a moved window.

    The input is shifted, explained, and its attribution shifted back. An explainer that depends on
    the sequence, and not on where the window begins, gives the same attribution again. Use this to
    compare explainers of one model. A stable explanation need not be right: an explainer that
    ignores the model can be perfectly stable. Read it beside `faithfulness`.

    Args:
        explain: Takes inputs (B, ..., L) and returns their attributions (B, ..., L), with the
            sequence in the same dimension; other dimensions may be missing.
        inputs: (B, ..., L) with `edges="circular"`. With `edges="flanks"`,
            (B, ..., L + 2 * F), where F is the largest absolute shift.
        shifts: By how many positions the sequence moves to the right in its window; a negative
            shift moves it to the left.
        dim: The sequence dimension, of both inputs and attributions; counted from the end where
            `explain` removes a dimension before it.
        edges: `"circular"`: positions that leave the window at one end enter at the other.
            `"flanks"`: the window moves over the real sequence that the inputs carry, and the
            positions that both windows hold are compared.
        correlation: `"pearson"`, or `"spearman"` to compare ranks only.

    Returns:
        (B, len(shifts)), in [-1, 1]; 1 is perfectly stable. nan where an attribution is constant.

    Example:
        >>> import torch
        >>> from shiftsmooth.metrics import shift_stability
        >>> x = torch.tensor([[[0.0, 1.0, 0.0, 3.0, 2.0]]])
        >>> shift_stability(lambda x: x.square(), x, (1, 2)).tolist()  # pointwise: never moves
        [[1.0, 1.0]]
    """
    correlate = _correlation(correlation)
    window = Shifts.of(0, shifts, edges, None)
    if not _is_inner_dim(inputs, dim):
        raise ValueError(
            "dim: expected a dimension of inputs other than the batch, "
            f"got {dim} for shape {tuple(inputs.shape)}"
        )
    length = inputs.shape[dim] - 2 * window.reach * (edges == "flanks")
    if window.reach >= length:
        raise ValueError(
            f"shifts: expected shifts below the window's {max(length, 0)} positions (inputs have "
            f"{inputs.shape[dim]} in dimension {dim}, edges={edges!r}), got {window.reach}"
        )

    still = _explained(explain, window.shift(inputs, (dim,), 0), dim)
    columns = []
    for n in window.values:
        moved = _explained(explain, window.shift(inputs, (dim,), n), dim)
        if edges == "circular":
            pair = moved.roll(-n, dim), still
        else:
            # Position i + n of the moved window shows what position i of the still one does.
            common = length - abs(n)
            pair = moved.narrow(dim, max(n, 0), common), still.narrow(dim, max(-n, 0), common)
        columns.append(correlate(pair[0].flatten(1), pair[1].flatten(1)))
    return torch.stack(columns, dim=1)


def mutation_stability(
    explain: Explainer,
    inputs: Tensor,
    motif: Tensor,
    *,
    n_mutations: int = 1,
    n_trials: int = 10,
    seed: int = 0,
    correlation: str = "pearson",
) -> Tensor:
    """Correlate the attribution of each sequence with those of copies mutated outside its motif.

    A substitution in the background should not change the explanation of the motif. The mutated
    positions themselves are left out of the comparison, because there the two sequences differ and
    their attributions may differ too. Use this where the place of the motif is known (planted
    motifs, footprints). With an all-False `motif` every position may mutate, and a mutation in a
    motif that is not marked counts as instability.

    Args:
        explain: Takes sequences (B, A, L) and returns their attributions (B, ..., L).
        inputs: (B, A, L) one-hot sequences over an alphabet of A letters.
        motif: Boolean, (B, L) or (L,); True where nothing is mutated.
        n_mutations: How many positions are mutated in one copy.
        n_trials: Copies of each sequence.
        seed: Fixes the positions and the letters drawn.
        correlation: `"pearson"`, or `"spearman"` to compare ranks only.

    Returns:
        (B, n_trials), in [-1, 1]; 1 is perfectly stable. nan where an attribution is constant and
        where fewer than `n_mutations` positions lie outside the motif.

    Example:
        >>> import torch
        >>> from shiftsmooth.metrics import mutation_stability
        >>> x = torch.nn.functional.one_hot(torch.tensor([[0, 1, 2, 3, 3, 0]]), 4).mT.float()
        >>> motif = torch.tensor([False, True, True, True, False, False])
        >>> weights = torch.arange(6.0)
        >>> mutation_stability(lambda x: x * weights, x, motif, n_trials=2).shape
        torch.Size([1, 2])
    """
    correlate = _correlation(correlation)
    if inputs.dim() != 3 or inputs.shape[1] < 2:
        raise ValueError(
            "inputs: expected one-hot sequences (B, A, L) with A >= 2, "
            f"got shape {tuple(inputs.shape)}"
        )
    _check_positive("n_mutations", n_mutations)
    _check_positive("n_trials", n_trials)
    batch, letters, length = inputs.shape
    motif = _expanded_mask("motif", motif, (batch, length), inputs.device)
    if n_mutations >= length:
        raise ValueError(
            f"n_mutations: expected less than the sequences' length, {length}, got {n_mutations}"
        )
    generator = torch.Generator().manual_seed(seed)
    enough = (~motif).sum(1) >= n_mutations
    original = _explained(explain, inputs, -1).reshape(batch, -1, length)

    columns = []
    for _ in range(n_trials):
        # Drawn on the CPU, so that a seed means the same mutations on every device.
        priority = torch.rand(batch, length, generator=generator).to(inputs.device)
        steps = torch.randint(1, letters, (batch, n_mutations), generator=generator)
        positions = priority.masked_fill(motif, -1.0).topk(n_mutations, dim=1).indices
        mutated = _substitute(inputs, positions, steps.to(inputs.device))
        attribution = _explained(explain, mutated, -1).reshape(batch, -1, length)

        kept = torch.ones_like(motif).scatter(1, positions, False)
        column = correlate(
            _select_positions(original, kept, length - n_mutations),
            _select_positions(attribution, kept, length - n_mutations),
        )
        columns.append(column.masked_fill(~enough, float("nan")))
    return torch.stack(columns, dim=1)


def faithfulness(attribution: Tensor, reference: Tensor) -> Tensor:
    """Rank correlation (Spearman's rho) of each attribution with a reference.

    The reference is the behaviour of the model, measured without the explainer: usually in-silico
    mutagenesis, `tangermeme.saturation_mutagenesis(model, X)`. Only ranks are compared, so the
    scales may differ. Compare hypothetical contributions (B, 4, L) with the change of score at
    every substitution, or the contribution of the letter present (B, L) with the mean loss of score
    when it is replaced. The sign counts; to compare importance only, pass absolute values of both.

    Args:
        attribution: (B, ...).
        reference: The same shape.

    Returns:
        (B,), in [-1, 1], ties given their average rank. nan where either is constant.

    Example:
        >>> import torch
        >>> from shiftsmooth.metrics import faithfulness
        >>> a = torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
        >>> faithfulness(a, torch.tensor([[1.0, 10.0, 100.0], [3.0, 2.0, 1.0]])).tolist()
        [1.0, -1.0]
    """
    _check_batched("attribution", attribution)
    _check_batched("reference", reference)
    if attribution.shape != reference.shape:
        raise ValueError(
            f"reference: expected the shape of attribution, {tuple(attribution.shape)}, "
            f"got {tuple(reference.shape)}"
        )
    return _spearman(attribution.flatten(1), reference.to(attribution.device).flatten(1))


def evalattai(
    score: Callable[[Tensor], Tensor],
    inputs: Tensor,
    attribution: Tensor,
    *,
    n_steps: int = 10,
    step_size: float = 0.1,
) -> Tensor:
    r"""Add the attribution to the input in increments and follow the model's score.

    EvalAttAI, Evaluating Attributions by Adding Incrementally (Nielsen et al., IEEE Access 2023):
    moving the input along an attribution of the features that the model uses raises the score, and
    a more faithful attribution raises it faster. Nothing is deleted or replaced, so no baseline has
    to be chosen. At step k the model sees

    .. math:: x_k = x + k \cdot \text{step\_size} \cdot \frac{\lVert x \rVert}{\lVert A \rVert} A

    Every attribution is scaled to the norm of its input, so that a step is a fraction of the
    input's size, and attributions of different scales can be compared. (The authors' code rescales
    a batch of attributions to [0, 1] together. This loses the sign, and the examples of a batch
    change each other's result.)

    The inputs are no longer one-hot, so this measures the model around its data, not on its data.
    For small steps the plain gradient is the best by definition. Prefer `faithfulness` where
    in-silico mutagenesis is affordable.

    Args:
        score: Takes inputs (B, ...) and returns the score explained, (B,): for a model with tasks,
            `lambda x: model(x)[:, target]`.
        inputs: (B, ...), of any dtype; cast to the attribution's.
        attribution: Signed, the shape of `inputs`.
        n_steps: The number of increments.
        step_size: The norm of one increment, as a fraction of the norm of the input.

    Returns:
        (B, n_steps + 1): the score at each step, the untouched input's first. An attribution that
        is zero everywhere gives a flat curve. To summarise a curve in one number, take the mean
        rise, `(curve[:, 1:] - curve[:, :1]).mean(1)`.

    Example:
        >>> import torch
        >>> from shiftsmooth.metrics import evalattai
        >>> evalattai(lambda x: x.sum(1), torch.ones(1, 4), torch.ones(1, 4), n_steps=2,
        ...           step_size=0.5).tolist()
        [[4.0, 6.0, 8.0]]
    """
    _check_batched("attribution", attribution)
    if attribution.shape != inputs.shape:
        raise ValueError(
            f"attribution: expected the shape of inputs, {tuple(inputs.shape)}, "
            f"got {tuple(attribution.shape)}"
        )
    if not attribution.is_floating_point():
        raise TypeError(f"attribution: expected a floating dtype, got {attribution.dtype}")
    _check_positive("n_steps", n_steps)
    if not step_size > 0:
        raise ValueError(f"step_size: expected a positive number, got {step_size}")

    start = inputs.to(attribution.dtype)
    broadcast = (-1,) + (1,) * (attribution.dim() - 1)
    norm = attribution.flatten(1).norm(dim=1)
    scale = torch.where(norm > 0, start.flatten(1).norm(dim=1) / norm, 0.0)
    step = step_size * scale.view(broadcast) * attribution
    with torch.no_grad():
        scores = [score(start + k * step) for k in range(n_steps + 1)]
    if scores[0].shape != inputs.shape[:1]:
        raise ValueError(
            f"score: expected one number per example, shape ({inputs.shape[0]},), "
            f"got {tuple(scores[0].shape)}"
        )
    return torch.stack(scores, dim=1).double()


def auroc(attribution: Tensor, mask: Tensor) -> Tensor:
    """Probability that a position in the motif has a larger |attribution| than one outside it.

    The area under the ROC curve of |attribution| as a detector of the mask, ties counting half.
    All positions have the same weight: for a motif of 10 in 1,000 positions, read
    `average_precision` too.

    Args:
        attribution: (B, L), one number per position. Of a (B, 4, L) attribution take that of the
            letter present, `(attribution * X).sum(1)`.
        mask: Boolean, (B, L) or (L,); True in the motif.

    Returns:
        (B,), in [0, 1]; 0.5 is chance and what a constant attribution gets. nan where the mask
        is all True or all False.

    Example:
        >>> import torch
        >>> from shiftsmooth.metrics import auroc
        >>> auroc(torch.tensor([[0.1, -3.0, 2.0, 0.0]]), torch.tensor([0, 1, 1, 0]).bool()).item()
        1.0
    """
    importance, mask = _importance(attribution, mask)
    inside = mask.sum(1).double()
    outside = mask.shape[1] - inside
    rank_sum = (_ranks(importance) * mask).sum(1)
    # The Mann-Whitney statistic; 0 / 0 is the nan documented for a one-sided mask.
    return (rank_sum - inside * (inside + 1) / 2) / (inside * outside)


def average_precision(attribution: Tensor, mask: Tensor) -> Tensor:
    """Mean precision, over the motif's positions, of |attribution| read from the top down.

    The step-wise area under the precision-recall curve, as scikit-learn has it: positions of equal
    value enter together. Use it instead of `auroc` where the motif is a small part of the
    sequence and the largest attributions matter most.

    Args:
        attribution: (B, L), one number per position, as in `auroc`.
        mask: Boolean, (B, L) or (L,); True in the motif.

    Returns:
        (B,), in [0, 1]; chance, and what a constant attribution gets, is the share of True in the
        mask. nan where the mask is all False.

    Example:
        >>> import torch
        >>> from shiftsmooth.metrics import average_precision
        >>> mask = torch.tensor([False, True, True, False])
        >>> average_precision(torch.tensor([[0.1, -3.0, 1.0, 2.0]]), mask).item()  # (1 + 2/3) / 2
        0.8333333333333333
    """
    importance, mask = _importance(attribution, mask)
    values, order = importance.sort(dim=1, descending=True)
    hits = mask.gather(1, order)
    _, last = _tie_bounds(values)
    # A threshold admits a whole group of ties, so each position counts at the end of its group.
    precision = hits.cumsum(1).gather(1, last) / (last + 1).double()
    return (precision * hits).sum(1) / hits.sum(1)


def top_k_hit_rate(attribution: Tensor, mask: Tensor, k: int | None = None) -> Tensor:
    """Share of the k positions with the largest |attribution| that lie in the motif.

    This is how a reader looks at a logo. Where several positions share the k-th value, the result
    is the expectation over all ways to choose among them, so that their order does not matter.

    Args:
        attribution: (B, L), one number per position, as in `auroc`.
        mask: Boolean, (B, L) or (L,); True in the motif.
        k: The number of positions to look at, 1 to L; None takes as many as are True in the
            example's mask, so that 1.0 can always be reached.

    Returns:
        (B,), in [0, 1]; chance, and what a constant attribution gets, is the share of True in the
        mask. nan where the mask is all False.

    Example:
        >>> import torch
        >>> from shiftsmooth.metrics import top_k_hit_rate
        >>> mask = torch.tensor([False, True, True, False])
        >>> top_k_hit_rate(torch.tensor([[0.1, -3.0, 1.0, 2.0]]), mask).item()  # of the two
        0.5
    """
    importance, mask = _importance(attribution, mask)
    batch, length = mask.shape
    inside = mask.sum(1)
    if k is None:
        count = inside.clamp(min=1)
    else:
        _check_positive("k", k)
        if k > length:
            raise ValueError(f"k: expected at most the number of positions, {length}, got {k}")
        count = torch.full((batch,), k, device=mask.device)

    ordered = importance.sort(dim=1, descending=True).values
    threshold = ordered.gather(1, count[:, None] - 1)
    above, tied = importance > threshold, importance == threshold
    share = (count - above.sum(1)).double() / tied.sum(1)
    hits = (above & mask).sum(1) + share * (tied & mask).sum(1)
    return (hits / count).masked_fill(inside == 0, float("nan"))


def pearson(a: Tensor, b: Tensor) -> Tensor:
    """Correlate (B, M) with (B, M), row by row; nan where a row is constant.

    Example:
        >>> import torch
        >>> from shiftsmooth.metrics import pearson
        >>> pearson(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[2.0, 4.0, 6.0]]))
        tensor([1.], dtype=torch.float64)
    """
    a, b = a.double(), b.double()
    # Compare the values: the variance of a constant row need not round to zero.
    constant = (a.amax(1) == a.amin(1)) | (b.amax(1) == b.amin(1))
    a, b = a - a.mean(1, keepdim=True), b - b.mean(1, keepdim=True)
    # Scale to 1, so that the squares of tiny gradients do not underflow.
    a, b = a / a.abs().amax(1, keepdim=True), b / b.abs().amax(1, keepdim=True)
    norm = (a.square().sum(1) * b.square().sum(1)).sqrt()
    return ((a * b).sum(1) / norm).clamp(-1, 1).masked_fill(constant, float("nan"))


def _spearman(a: Tensor, b: Tensor) -> Tensor:
    return pearson(_ranks(a), _ranks(b))


def _ranks(values: Tensor) -> Tensor:
    """Ranks 1..M within each row of (B, M), ties sharing their average."""
    ordered, order = values.sort(dim=1)
    first, last = _tie_bounds(ordered)
    return torch.empty_like(values, dtype=torch.float64).scatter_(
        1, order, (first + last).double() / 2 + 1
    )


def _tie_bounds(ordered: Tensor) -> tuple[Tensor, Tensor]:
    """Where the run of equal values around each element of sorted rows (B, M) begins and ends."""
    index = torch.arange(ordered.shape[1], device=ordered.device).expand(ordered.shape)
    edge = torch.ones_like(ordered[:, :1], dtype=torch.bool)
    differs = ordered[:, 1:] != ordered[:, :-1]
    begins, ends = torch.cat([edge, differs], 1), torch.cat([differs, edge], 1)
    first = index.where(begins, 0).cummax(1).values
    last = index.where(ends, ordered.shape[1]).flip(1).cummin(1).values.flip(1)
    return first, last


def _substitute(inputs: Tensor, positions: Tensor, steps: Tensor) -> Tensor:
    """Replace the letters at positions (B, K) by those 1 <= steps < A further in the alphabet."""
    letters = inputs.shape[1]
    index = positions[:, None].expand(-1, letters, -1)
    present = inputs.gather(2, index).argmax(1)
    new = torch.nn.functional.one_hot((present + steps) % letters, letters)
    return inputs.scatter(2, index, new.transpose(1, 2).to(inputs.dtype))


def _select_positions(attribution: Tensor, kept: Tensor, count: int) -> Tensor:
    """The (B, C * count) values of (B, C, L) where (B, L) holds, count positions in each row."""
    batch, channels, _ = attribution.shape
    mask = kept[:, None].expand_as(attribution)
    return attribution[mask].view(batch, channels * count)


def _explained(explain: Explainer, inputs: Tensor, dim: int) -> Tensor:
    attribution = explain(inputs)
    if not isinstance(attribution, Tensor):
        raise TypeError(f"explain: expected a tensor in return, got {type(attribution).__name__}")
    batch, length = inputs.shape[0], inputs.shape[dim]
    if (
        not _is_inner_dim(attribution, dim)
        or attribution.shape[0] != batch
        or attribution.shape[dim] != length
    ):
        raise ValueError(
            f"explain: expected attributions with the batch, {batch}, first and the sequence, "
            f"{length}, in dimension {dim}, as its inputs {tuple(inputs.shape)} have them, "
            f"got {tuple(attribution.shape)}"
        )
    attribution = attribution.detach()
    _check_finite("explain: attribution", attribution)
    return attribution


def _importance(attribution: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    if attribution.dim() != 2 or attribution.shape[1] == 0:
        raise ValueError(
            "attribution: expected one number per position, shape (B, L), "
            f"got {tuple(attribution.shape)}; of a (B, 4, L) attribution take that of the letter "
            "present: (attribution * X).sum(1)"
        )
    _check_finite("attribution", attribution)
    shape = (attribution.shape[0], attribution.shape[1])
    return attribution.abs(), _expanded_mask("mask", mask, shape, attribution.device)


def _expanded_mask(name: str, mask: Tensor, shape: tuple[int, int], device: torch.device) -> Tensor:
    if mask.dtype != torch.bool:
        raise TypeError(f"{name}: expected a boolean tensor, got {mask.dtype}: use {name}.bool()")
    if tuple(mask.shape) not in (shape, shape[1:]):
        raise ValueError(
            f"{name}: expected shape {shape} or ({shape[1]},), got {tuple(mask.shape)}"
        )
    return mask.to(device).expand(shape)


def _is_inner_dim(tensor: Tensor, dim: int) -> bool:
    return -tensor.dim() < dim < tensor.dim() and dim != 0


def _correlation(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    known = {"pearson": pearson, "spearman": _spearman}
    _check_choice("correlation", name, tuple(known))
    return known[name]


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(map(repr, choices))}, got {value!r}")


def _check_positive(name: str, value: int) -> None:
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"{name}: expected a positive integer, got {value!r}")


def _check_batched(name: str, value: Tensor) -> None:
    if value.dim() < 2 or 0 in value.shape[1:]:
        raise ValueError(
            f"{name}: expected a batch dimension first and at least one value per example, "
            f"got shape {tuple(value.shape)}"
        )
    _check_finite(name, value)


def _check_finite(name: str, value: Tensor) -> None:
    if not value.isfinite().all():
        raise ValueError(f"{name}: expected finite values, got NaN or infinity")
