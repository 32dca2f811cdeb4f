import json
import random

import pytest
import torch

from modelzoo.apply.attribute import attribute
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.attribution.methods import METHODS, importance, maps
from modelzoo.attribution.quality import quality, read_quality, sampled
from modelzoo.sequences import columns, encode


class Counting(torch.nn.Module):
    """Counts evaluations: one per sequence, three where it may be differentiated."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.model = DeepBind(filters=[4], widths=[5], tasks=["GATA3", "FOXM1"]).eval()
        self.tasks, self.count = self.model.tasks, 0

    def forward(self, x):
        self.count += len(x) * (3 if torch.is_grad_enabled() else 1)
        return self.model(x)


@pytest.fixture(scope="module")
def sequences():
    rng = random.Random(0)
    return ["".join(rng.choices("ACGT", k=30)) for _ in range(300)]


@pytest.mark.parametrize(
    "method", ["gradient", "smoothgrad", "shiftsmooth", "integrated-gradients"]
)
def test_it_takes_a_tenth_of_the_runs_evaluations_at_most(sequences, tmp_path, method):
    counts = []
    for on in (False, True):
        model = Counting()
        attribute(model, sequences, tmp_path / str(on), method=method, quality=on, formats=())
        counts.append(model.count)
    assert counts[0] < counts[1] <= 1.1 * counts[0]
    assert read_quality(tmp_path / "True")["window stability"].count > 0


def test_equal_runs_leave_equal_bytes(sequences, tmp_path):
    for folder in ("one", "two"):
        attribute(Counting(), sequences[:80], tmp_path / folder, method="smoothgrad", formats=())
    one, two = ((tmp_path / folder / "quality.json").read_bytes() for folder in ("one", "two"))
    assert one == two


def test_it_can_be_turned_off_and_then_nothing_old_stays(sequences, tmp_path):
    attribute(Counting(), sequences[:20], tmp_path, formats=())
    assert json.loads((tmp_path / "quality.json").read_text())["sequences"] == 20
    attribute(Counting(), sequences[:20], tmp_path, formats=(), quality=False)
    assert not (tmp_path / "quality.json").exists()


def test_contributions_and_outputs_are_found_where_they_are_not_given(sequences):
    model, x = Counting(), columns(encode(sequences[:40]))
    method = METHODS["integrated-gradients"]
    with torch.no_grad():
        outputs = model(x)
    given = importance(maps(model, x, method), x)
    known = quality(model, x, method=method, run=9999, contributions=given, outputs=outputs)
    assert quality(model, x, method=method, run=9999) == known
    assert known["completeness"].verdict != "not measured"


def test_no_more_than_200_sequences_are_sampled_from_all_of_a_run():
    rows = sampled(10_000)
    assert (len(rows), rows[0], rows[-1]) == (200, 0, 9950)
    assert sampled(3) == [0, 1, 2]
