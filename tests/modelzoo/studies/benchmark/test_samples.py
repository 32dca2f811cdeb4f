"""Smoothing over many samples, beside few."""

from modelzoo.studies.benchmark.methods import COMPARED
from modelzoo.studies.benchmark.samples import MANY, METHODS, SMOOTHED, sample_table


def test_many_samples_are_drawn_counted_and_told():
    for name in SMOOTHED:
        few, many = COMPARED[name], COMPARED[f"{name}-{MANY}"]
        assert many.method.parameters == {**few.method.parameters, "samples": MANY}
        assert many.evaluations(80) == 10 * few.evaluations(80)
        assert many.method.title == f"{few.method.title}, 100 samples"


def test_the_table_shows_the_difference_over_all_models_alone():
    told = {"method": "smoothgrad-100", "low": 0.1, "high": 0.3, "q": 0.01}
    gains = [
        {**told, "model": "all", "metric": "stability", "difference": 0.2},
        {**told, "model": "lstm", "metric": "stability", "difference": 0.9},
        {**told, "model": "all", "metric": "auroc", "difference": 0.8},
        {**told, "method": "ism", "model": "all", "metric": "stability", "difference": 0.7},
    ]
    methods = [{"method": name, "evaluations": 300} for name in METHODS]
    text = sample_table({"gains": gains, "methods": methods, "settings": {"seeds": 1}})
    text = text.to_markdown()
    assert "+0.200 (+0.100, +0.300)" in text and "of 1 seed\n" in text
    assert not any(other in text for other in ("0.900", "0.800", "0.700", "mutagenesis"))
