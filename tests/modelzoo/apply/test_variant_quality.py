import numpy as np
import pytest
from scipy.stats import spearmanr

import modelzoo
from modelzoo.apply.alleles import Scoring
from modelzoo.attribution.quality import read_quality
from tests.support import variants as support
from tests.support.variants import GENOME, MAX_SHIFT, WIDTH, Network, Symmetric, by_hand


@pytest.fixture
def scored(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    rows = [
        ("chr1", pos, 1, alt)
        for pos in range(20, 280)
        for alt in "ACGT"
        if alt != GENOME["chr1"][pos - 1]
    ]
    given = {"genome": support.genome(tmp_path), "width": WIDTH, "max_shift": MAX_SHIFT}
    vcf = support.vcf(tmp_path, *rows)

    def run(model, folder="out", **options):
        return modelzoo.variants(
            model, vcf, tmp_path / folder, **given, **options
        ), tmp_path / folder

    return run


def test_windows_and_strands_that_disagree_are_found(scored):
    table, folder = scored(Network())
    found = read_quality(folder)
    assert found["window stability"].value < 0.8
    assert found["strand agreement"].value < 0.9
    assert found["window stability"].count >= 20
    sample = table.iloc[np.arange(200) * len(table) // 200]
    certain = (sample.effect_one.abs() > 2 * sample.spread_one).mean()
    assert found["certain signs"].value == pytest.approx(certain, abs=1e-4)


def test_window_stability_is_the_correlation_of_windows_cut_by_hand_with_their_mean(scored):
    table, folder = scored(Network())
    found = read_quality(folder)
    count = found["window stability"].count
    rows = table.iloc[np.arange(count) * len(table) // count]
    effects = []
    for row in rows.itertuples():
        outputs = by_hand(Network(), row.chrom, row.pos, row.ref, row.alt)[..., 0]
        effects.append(outputs[:, 1] - outputs[:, 0])  # (windows, strands)
    effects = np.stack(effects)
    mean = effects.mean((1, 2))
    each = [np.corrcoef(window, mean)[0, 1] for window in effects.mean(2).T]
    assert found["window stability"].value == pytest.approx(np.median(each), abs=1e-4)
    strands = np.corrcoef(effects.mean(1).T)[0, 1]
    assert found["strand agreement"].value == pytest.approx(strands, abs=1e-4)
    middle = spearmanr(effects[:, MAX_SHIFT, 0], mean).statistic
    assert found["mutagenesis"].value == pytest.approx(middle, abs=1e-4)


def test_a_model_of_both_strands_has_perfect_strand_agreement(scored):
    found = read_quality(scored(Symmetric())[1])
    assert found["strand agreement"].value == 1


class Dead(Network):
    def forward(self, x):
        return super().forward(x) * 0 + 2


def test_a_dead_model_is_found(scored):
    found = read_quality(scored(Dead())[1])
    assert found.constant == ("one", "two")
    assert found["saturated"].value == 1


def test_it_takes_a_tenth_of_the_evaluations_at_most(scored, monkeypatch):
    counts = []
    outputs = Scoring.outputs

    def counting(self, stretches):
        rows = self.rows(next(Network().parameters()).device)
        counts[-1] += -(-len(stretches) // rows) * rows
        return outputs(self, stretches)

    monkeypatch.setattr(Scoring, "outputs", counting)
    for on in (False, True):
        counts.append(0)
        scored(Network(), str(on), quality=on)
    assert counts[0] < counts[1] <= 1.1 * counts[0]


def test_equal_runs_leave_equal_bytes_and_it_can_be_turned_off(scored):
    one, two = (scored(Network(), name)[1] / "quality.json" for name in ("a", "b"))
    assert one.read_bytes() == two.read_bytes()
    scored(Network(), "a", quality=False)
    assert not one.exists()
