"""The sentences of the page."""

import dataclasses

from modelzoo.studies.benchmark.report import findings
from modelzoo.studies.benchmark.settings import QUICK, Settings
from modelzoo.studies.benchmark.summaries import Found


def row(model, method, *, beaten_by=(), share=1.0):
    return {"model": model, "method": method, "beaten_by": list(beaten_by), "share": share}


def rival(name, model, difference, q):
    told = {"set": name, "model": model, "metric": "average_precision", "q": q}
    return told | {"difference": difference, "low": difference - 0.01, "high": difference + 0.01}


def test_a_method_that_is_beaten_for_no_model_is_named_with_its_least_sure_model():
    rows = [
        row("basset", "shiftsmooth-strands", share=0.97),
        row("danq", "shiftsmooth-strands", share=0.99),
        row("basset", "smoothgrad"),
        row("danq", "smoothgrad", beaten_by=["shiftsmooth-strands"]),
    ]
    told = findings(Found(frontiers=rows), Settings())[-1]
    assert told.startswith("For no model beaten in average precision")
    assert "ShiftSmooth N=5, both strands (for each model in 97% of" in told
    assert "SmoothGrad" not in told


def test_where_every_method_is_beaten_the_closest_is_named_and_where_it_loses():
    rows = [
        row("basset", "gradient", beaten_by=["smoothgrad"]),
        row("danq", "gradient", beaten_by=["smoothgrad"]),
        row("basset", "smoothgrad"),
        row("danq", "smoothgrad", beaten_by=["shiftsmooth-10"]),
    ]
    told = findings(Found(frontiers=rows), Settings())[-1]
    assert "closest is SmoothGrad, which is beaten for DanQ, by ShiftSmooth N=10." in told


def test_mutagenesis_is_called_better_or_worse_only_where_that_is_sure():
    cost = [{"method": "shiftsmooth-10", "evaluations": 60}, {"method": "ism", "evaluations": 240}]
    cost = [{**each, "title": "", "frontier": False} for each in cost]
    rows = [
        rival("all", "explainn", 0.07, 1e-9),
        rival("all", "lstm", -0.04, 1e-3),
        rival("all", "danq", 0.02, 0.3),
    ]
    told = findings(Found(rivals=rows, methods=cost), Settings())[-1]
    assert "at 25% of its cost: better for ExplaiNN +0.070 (+0.060, +0.080)" in told
    assert "worse for LSTM −0.040" in told and "no sure difference for DanQ" in told


def test_a_quick_run_does_not_say_that_models_learned():
    models = [{"learned": 1, "seeds": 1}]
    assert "whether they learned their set or not" in findings(Found(models=models), QUICK)[0]
    full = dataclasses.replace(Settings(), seeds=1)
    assert "1 of 1 models learned their set." in findings(Found(models=models), full)[0]
