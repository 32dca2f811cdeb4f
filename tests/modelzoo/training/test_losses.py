import math

import pytest
import torch

from modelzoo.training.losses import LOSSES

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
