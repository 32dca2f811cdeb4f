import numpy as np
import pytest
import torch
from torch import nn

from modelzoo.architectures.explainn import ExplaiNN
from modelzoo.attribution.motif_pairs import distance_dependence, draw
from modelzoo.sequences import encode, one_hot

GATA, AP1 = "AGATAAGA", "TGACTCAT"


class Pairs(nn.Module):
    """Logit 1 for a GATA, 2 for an AP1, and 3 more where they start at most 20 bases apart."""

    def __init__(self, bonus=3.0, tasks=2):
        super().__init__()
        self.words = nn.Parameter(torch.cat([one_hot(GATA), one_hot(AP1)]))
        self.bonus = bonus

    def forward(self, x):
        found = torch.nn.functional.conv1d(x, self.words) > 7.5  # (B, 2, positions)
        gata, ap1 = found[:, 0], found[:, 1]
        logit = gata.any(1) + 2.0 * ap1.any(1)
        near = torch.zeros(len(x), dtype=torch.bool)
        for shift in range(-20, 21):
            near |= (gata & ap1.roll(shift, dims=1)).any(1)
        return torch.stack([torch.zeros(len(x)), logit + self.bonus * near], dim=1)


def test_what_is_left_is_the_bonus_where_it_is_given():
    found = distance_dependence(Pairs(), GATA, AP1, task=1, length=101, backgrounds=5)
    near = np.abs(found.distances) <= 20
    assert near.any() and not near.all()
    assert np.allclose(found.residuals[:, near], 3) and np.allclose(found.residuals[:, ~near], 0)
    assert np.allclose(found.fold_change, np.where(near, np.exp(3), 1))


def test_motifs_that_add_up_leave_nothing():
    found = distance_dependence(Pairs(bonus=0.0), GATA, AP1, task=1, backgrounds=5)
    assert np.allclose(found.residuals, 0)


def test_a_task_is_asked_for_itself():
    found = distance_dependence(Pairs(), GATA, AP1, backgrounds=3)
    assert not found.residuals.any()


@pytest.mark.parametrize(("length", "sliding"), [(101, AP1), (60, "GGGCT"), (33, AP1)])
def test_the_motifs_touch_but_never_overlap(length, sliding):
    found = distance_dependence(Pairs(), GATA, sliding, length=length, backgrounds=1)
    touching = (len(GATA) + len(sliding)) / 2
    assert np.abs(found.distances).min() == touching
    start = found.distances + (length - len(GATA)) // 2 + (len(GATA) - len(sliding)) / 2
    assert start[0] == 0 and start[-1] == length - len(sliding)
    assert np.isin(np.diff(start), [1, len(GATA) + len(sliding)]).all()


def test_the_seed_decides_the_backgrounds():
    class Weighs(nn.Module):
        def forward(self, x):
            return (x[:, 0].cumsum(1) * x[:, 2]).sum(1, keepdim=True)

    one, again, other = (
        distance_dependence(Weighs(), GATA, AP1, backgrounds=3, seed=seed).residuals
        for seed in (0, 0, 1)
    )
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def word_finder(*words, hidden=0):
    """An ExplaiNN with a unit for each word."""
    model = ExplaiNN(len(words), width=8, hidden=hidden, length=101, tasks=["a"])
    with torch.no_grad():
        model.set_filters(one_hot(list(words)) - 0.25)
        for parameter in model.final.parameters():
            nn.init.ones_(parameter)
    return model.eval()


def test_units_without_layers_see_no_pair_of_either_kind():
    model = word_finder(GATA, AP1)
    for pair in ((GATA, AP1), (GATA, GATA)):
        # a motif is stronger than anything of a background: the maximum is where it is
        found = distance_dependence(model, *pair, backgrounds=4)
        single = model(one_hot("C" * 40 + GATA + "C" * 53)).item()
        if pair[0] != pair[1]:
            assert np.abs(found.residuals).max() < 0.2 * single
        else:
            assert found.residuals.max() < 0  # a second one adds nothing, so the sum falls short


def test_units_with_layers_act_with_themselves_but_not_with_each_other():
    torch.manual_seed(0)
    model = word_finder(GATA, AP1, hidden=12)
    with torch.no_grad():
        model.heads.hidden.normal_()
        model.heads.hidden_norm.bias.normal_()
        model.heads.output.normal_()
        model.heads.output_norm.bias.fill_(2.0)
        model.filters[0] *= 3  # its background is as nothing to its motif
        model.filters[1] *= 3
    other = distance_dependence(model, GATA, AP1, backgrounds=4)
    same = distance_dependence(model, GATA, GATA, backgrounds=4)
    assert np.abs(same.residual).max() > 20 * np.abs(other.residual).max()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"length": 15}, "length: expected room for 8 and 8 positions side by side, got 15"),
        ({"backgrounds": 0}, "backgrounds: expected at least 1, got 0"),
        ({"sliding": "GATXA"}, "got 'X'"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        distance_dependence(Pairs(), **{"centre": GATA, "sliding": AP1} | arguments)


def test_a_line_a_pair_is_drawn_with_a_gap_in_the_centre():
    found = distance_dependence(Pairs(), GATA, AP1, task=1, backgrounds=2)
    axes = draw([found, found]).axes[0]
    (first, second) = [line for line in axes.lines if len(line.get_ydata()) > 2]
    y = np.asarray(first.get_ydata())
    assert np.isnan(y).sum() == 1 and np.allclose(
        np.delete(y, np.isnan(y).argmax()), found.fold_change
    )
    assert encode(found.centre).shape == (1, 8) and second.get_label() == f"{AP1} past {GATA}"
