import math

import pytest
import torch

from modelzoo.training.losses import LOSSES, filter_overlap

NAN = float("nan")


def cells(outputs, labels):
    for row_y, row_t in zip(outputs.tolist(), labels.tolist()):
        for y, t in zip(row_y, row_t):
            if not math.isnan(t):
                yield y, t


def by_loops(name, outputs, labels):
    """The losses from their textbook formulas, a label at a time."""
    if name == "multiclass":
        found = []
        for y, t in zip(outputs.tolist(), labels.tolist()):
            if any(map(math.isnan, t)):
                continue
            total = sum(math.exp(v) for v in y)
            found.append(-sum(p * math.log(math.exp(v) / total) for v, p in zip(y, t)))
    elif name == "pearson":
        found = []
        for y, t in zip(outputs.tolist(), labels.tolist()):
            pairs = [(a, b) for a, b in zip(y, t) if not math.isnan(b)]
            if len({b for _, b in pairs}) < 2:
                continue
            my, mt = (sum(v) / len(pairs) for v in zip(*pairs))
            up = sum((a - my) * (b - mt) for a, b in pairs)
            down = math.sqrt(sum((a - my) ** 2 for a, _ in pairs))
            found.append(1 - up / down / math.sqrt(sum((b - mt) ** 2 for _, b in pairs)))
    else:
        sigmoid = {"binary": lambda y: 1 / (1 + math.exp(-y))}.get(name)
        formula = {
            "binary": lambda y, t: -t * math.log(sigmoid(y)) - (1 - t) * math.log(1 - sigmoid(y)),
            "mse": lambda y, t: (y - t) ** 2,
            "poisson": lambda y, t: math.exp(y) - t * y,
        }[name]
        found = [formula(y, t) for y, t in cells(outputs, labels)]
    return sum(found) / len(found)


@pytest.fixture
def outputs():
    return torch.randn(6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def labels_for(name):
    generator = torch.Generator().manual_seed(1)
    if name == "multiclass":
        labels = torch.eye(4)[torch.randint(4, (6,), generator=generator)]
    elif name == "binary":
        labels = torch.randint(2, (6, 4), generator=generator)
    elif name == "poisson":
        labels = torch.randint(9, (6, 4), generator=generator)
    else:
        labels = torch.randn(6, 4, generator=generator)
    labels = labels.double()
    labels[1] = NAN
    labels[2, 0] = labels[3, 3] = NAN
    labels[4, 1:] = NAN
    return labels


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_its_formula_over_the_known_labels(name, outputs):
    labels = labels_for(name)
    if name == "multiclass":
        labels[5] = torch.tensor([0.1, 0.2, 0.3, 0.4])
    assert LOSSES[name](outputs, labels).item() == pytest.approx(by_loops(name, outputs, labels))


@pytest.mark.parametrize("name", LOSSES)
def test_a_missing_label_has_no_gradient(name, outputs):
    outputs.requires_grad_()
    labels = labels_for(name)
    LOSSES[name](outputs, labels).backward()
    known = ~labels.isnan()
    if name in ("multiclass", "pearson"):  # of rows: all of the known ones, or none
        known &= known.sum(1, keepdim=True) >= (4 if name == "multiclass" else 2)
        known &= (~labels.isnan()).all(1, keepdim=True) if name == "multiclass" else True
    assert torch.equal(outputs.grad != 0, known)


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_without_labels_changes_nothing(name, outputs):
    outputs.requires_grad_()
    loss = LOSSES[name](outputs, torch.full_like(outputs, NAN))
    loss.backward()
    assert loss.item() == 0 and torch.equal(outputs.grad, torch.zeros_like(outputs))


def test_constant_outputs_correlate_with_nothing():
    outputs = torch.ones(2, 3, requires_grad=True)
    loss = LOSSES["pearson"](outputs, torch.tensor([[1.0, 2.0, 3.0]] * 2))
    loss.backward()
    assert loss.item() == pytest.approx(1) and outputs.grad.isfinite().all()


def test_a_profile_has_no_level():
    labels = torch.tensor([[0.0, 1.0, 5.0], [2.0, 1.0, 0.0]])
    assert LOSSES["pearson"](3 * labels + 7, labels).item() == pytest.approx(0, abs=1e-6)
    assert LOSSES["pearson"](-labels, labels).item() == pytest.approx(2, abs=1e-6)


# ARGMINN's regulariser


def direct_overlap(activations, weight):
    """Eq. 2 term by term, in the paper's own indices."""
    filters, _, width = weight.shape
    norms, total = weight.abs().sum(1), 0.0
    for a in activations:
        length = a.shape[1]
        for i in range(length):
            top = int(a[:, i].argmax())
            if a[top, i] == 0:
                continue
            for b in set(range(filters)) - {top}:
                for j in range(max(0, i - width + 1), min(length, i + width)):
                    own = slice(max(0, j - i), width - max(0, i - j))
                    other = slice(max(0, i - j), width - max(0, j - i))
                    total += a[b, j] * norms[top, own].sum() * norms[b, other].sum()
    return total


@pytest.mark.parametrize("filters", [1, 2, 4])
@pytest.mark.parametrize("width", [1, 2, 5])
def test_overlap_is_the_sum_of_the_paper(filters, width):
    torch.manual_seed(filters * width)
    activations = torch.relu(torch.randn(3, filters, 11).double())
    weight = torch.randn(filters, 4, width).double()
    terms = 3 * 11 * filters * (2 * width - 1) * (4 * width) ** 2
    expected = direct_overlap(activations, weight) / terms
    assert float(filter_overlap(activations, weight)) == pytest.approx(float(expected))
    assert (expected > 0) == (filters > 1)


def unnormalised(activations, weight):
    filters, _, width = weight.shape
    scale = activations.shape[0] * activations.shape[2] * filters * (2 * width - 1)
    return float(filter_overlap(activations, weight)) * scale * (4 * width) ** 2


def test_overlap_by_hand():
    weight = torch.zeros(2, 4, 3)
    weight[0, 0] = torch.tensor([1.0, 2.0, 3.0])  # filter 0, L1 norms by position
    weight[1, 1] = torch.tensor([0.0, -5.0, 7.0])
    seen = torch.zeros(1, 2, 6)
    seen[0, 0, 2] = 4.0  # filter 0 protects positions 2 to 4
    assert unnormalised(seen, weight) == 0  # no other filter is active
    seen[0, 1, 3] = 0.5
    # At 2 filter 0 is the strongest, and filter 1's window at 3 covers its positions 1 and 2 with
    # its own 0 and 1: 0.5 (2 + 3) (0 + 5). At 3 filter 1 is alone, so it protects positions 3 to 5:
    # filter 0 at 2 pays 4 (2 + 3) (0 + 5).
    assert unnormalised(seen, weight) == pytest.approx(12.5 + 100)
    seen[0, 1, 3], seen[0, 1, 5] = 0, 0.5  # windows 2-4 and 5-7 only touch
    assert unnormalised(seen, weight) == 0


def test_a_position_without_activity_protects_nothing():
    weight = torch.ones(2, 4, 3)
    seen = torch.zeros(1, 2, 9)
    seen[0, 1, 4] = 1.0  # the first filter, which argmax names at all other positions, is silent
    assert unnormalised(seen, weight) == 0


def test_overlap_pushes_the_weaker_filter_down():
    weight = torch.ones(2, 4, 3, requires_grad=True)
    seen = torch.tensor([[[0.0, 2.0, 0.0], [0.0, 1.0, 0.0]]], requires_grad=True)
    filter_overlap(seen, weight).backward()
    assert seen.grad[0, 1, 1] > 0 == seen.grad[0, 0, 1]
    assert (weight.grad > 0).all()
