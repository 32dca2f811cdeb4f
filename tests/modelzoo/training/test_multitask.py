import gzip
import json

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from modelzoo.architectures import registered
from modelzoo.architectures.baseline import Baseline
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.architectures.explainn import ExplaiNN
from modelzoo.datasets import chipseq
from modelzoo.sequences import columns, encode
from modelzoo.training import multitask
from modelzoo.training.expert import predict
from modelzoo.training.initial_filters import jaspar_filters
from modelzoo.training.multitask import (
    MultiTaskParams,
    Peaks,
    Table,
    Validation,
    both_strands,
    examples,
    train_baseline,
    train_explainn,
    train_model_units,
)
from modelzoo.zoo import hub

CONFIG = {"units": 6, "hidden": 8, "width": 9}
PARAMS = MultiTaskParams(learning_rate=0.01, batch_size=50, epochs=4)


def planted(count, word, seed, length=40):
    rng = np.random.default_rng(seed)
    letters = rng.choice(list("ACGT"), (count, length))
    for row, start in zip(letters, rng.integers(0, length - len(word), count)):
        row[start : start + len(word)] = list(word)
    return ["".join(row) for row in letters]


@pytest.fixture(scope="module")
def peaks(tmp_path_factory):
    """Two files of peaks: GATAAGAT is planted in one, TGACTCAT in the other."""
    folder = tmp_path_factory.mktemp("peaks")
    paths = []
    for seed, (name, word) in enumerate((("gata", "GATAAGAT"), ("ap1", "TGACTCAT"))):
        path = folder / f"{name}.fa"
        rows = planted(200 + 20 * seed, word, seed)
        path.write_text("".join(f">p{i}\n{row}\n" for i, row in enumerate(rows)))
        paths.append(path)
    return paths


def table(path, rows, header=("id", "sequence", "liver", "kidney")):
    opened = gzip.open if path.name.endswith(".gz") else open
    comma = ".csv" in path.name
    with opened(path, "wt") as file:
        for row in (header, *rows):
            file.write(("," if comma else "\t").join(map(str, row)) + "\n")
    return path


def labelled_rows(count=400, missing=""):
    """Sequences with GATAAGAT and without; the second task is the first, half of it missing."""
    with_word, without = planted(count // 2, "GATAAGAT", 1), planted(count // 2, "AC", 2)
    for i, (sequence, label) in enumerate([(s, 1) for s in with_word] + [(s, 0) for s in without]):
        yield f"s{i}", sequence, label, (label if i % 2 else missing)


# Peaks of several factors


def test_a_peak_and_its_shuffle_are_labelled_for_their_own_task_alone(peaks):
    data = Peaks(peaks)
    assert data.tasks == ("gata", "ap1") and data.length == 40
    codes, labels = data.epoch(0, seed=0)
    known = ~labels.isnan()
    assert (known.sum(1) == 1).all()
    for task, path in enumerate(peaks):
        train, _ = chipseq.split_peaks(chipseq.peaks(path))
        own = codes[known[:, task].numpy()]
        y = labels[known[:, task], task].numpy()
        assert sorted(map(bytes, own[y == 1])) == sorted(map(bytes, train))
        for peak, shuffle in zip(own[y == 1], own[y == 0]):
            assert np.array_equal(np.bincount(peak), np.bincount(shuffle))
            assert not np.array_equal(peak, shuffle)


def test_shuffles_are_fresh_in_every_epoch_and_the_same_for_one_seed(peaks):
    data = Peaks(peaks)
    first, again = data.epoch(0, 0)[0], data.epoch(0, 0)[0]
    assert np.array_equal(first, again)
    assert not np.array_equal(first, data.epoch(1, 0)[0])
    assert not np.array_equal(first, data.epoch(0, 1)[0])


def test_held_out_peaks_are_never_trained_on(peaks):
    data = Peaks(peaks)
    train, held = set(map(bytes, data.epoch(0, 0)[0])), data.held_out[0]
    assert len(held) and not train & set(map(bytes, held))


def test_the_validation_score_is_the_mean_over_tasks_of_the_auc_on_both_strands(peaks):
    data = Peaks(peaks)
    torch.manual_seed(0)
    model = ExplaiNN(**CONFIG, length=40, tasks=data.tasks).eval()
    codes, labels = data.held_out
    x = columns(codes)
    with torch.no_grad():
        logits = torch.cat([model(x), model(x.flip(1, 2))])
    labels = torch.cat([labels, labels])
    expected = []
    for task in range(2):
        known = ~labels[:, task].isnan()
        expected.append(roc_auc_score(labels[known, task], logits[known, task]))
    validation = Validation(data, "binary")
    assert validation(model) == pytest.approx(np.mean(expected))
    assert list(validation.by_task(model).values()) == pytest.approx(expected)


def test_both_strands_are_reverse_complements_with_the_same_labels():
    codes = np.array([[0, 1, 4, 3, 3]], dtype=np.uint8)
    both, labels = both_strands(codes, torch.tensor([[1.0, torch.nan]]))
    assert both.tolist() == [[0, 1, 4, 3, 3], [0, 0, 4, 2, 3]]
    assert torch.equal(columns(both[1:]), columns(codes).flip(1, 2))
    assert labels[:, 0].tolist() == [1, 1] and labels[:, 1].isnan().all()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((0, 0), "data: expected every task once, got gata, gata"),
        (("short",), "too few peaks of short"),
        ((0, "long"), r"data: expected peaks of one length, got \[40, 50\]"),
    ],
)
def test_peaks_that_do_not_go_together_are_refused(peaks, tmp_path, data, message):
    (tmp_path / "short.fa").write_text(">a\nACGT\n")
    rows = planted(50, "GATA", 0, length=50)
    (tmp_path / "long.fa").write_text("".join(f">{r}\n{r}\n" for r in rows))
    sources = [peaks[d] if isinstance(d, int) else tmp_path / f"{d}.fa" for d in data]
    with pytest.raises(ValueError, match=message):
        examples(sources)


def test_peaks_have_no_other_loss(peaks):
    with pytest.raises(ValueError, match="loss: peaks against shuffles are 'binary', got 'mse'"):
        examples(peaks, "mse")


# Tables


@pytest.mark.parametrize("name", ["t.tsv", "t.csv", "t.tsv.gz", "t.CSV"])
@pytest.mark.parametrize("missing", ["", "NA", "nan", "."])
def test_a_table_is_read_with_its_missing_labels(tmp_path, name, missing):
    rows = list(labelled_rows(60, missing))
    data = Table(table(tmp_path / name, rows) if name != "t.CSV" else _upper(tmp_path, rows))
    assert data.tasks == ("liver", "kidney") and data.length == 40
    codes, labels = (
        np.concatenate([data.epoch(0, 0)[0], data.held_out[0]]),
        torch.cat([data.epoch(0, 0)[1], data.held_out[1]]),
    )
    found = {bytes(c): row for c, row in zip(codes, labels.tolist())}
    assert len(codes) == 60
    for _, sequence, liver, kidney in rows:
        got = found[bytes(encode(sequence)[0])]
        assert got[0] == liver
        assert np.isnan(got[1]) if kidney == missing else got[1] == kidney


def _upper(folder, rows):
    table(folder / "t.csv", rows)
    return (folder / "t.csv").rename(folder / "T.CSV")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["id\tsequence"], r"line 1: expected the columns id, sequence and a label.*tab-separated"),
        (["id,sequence,a"], r"tab-separated; got \['id,sequence,a'\]"),
        ([], "line 1: expected the columns"),
        (["id\tsequence\ta\ta"], "line 1: expected a name of its own for each label"),
        (["id\tsequence\ta"], "expected rows below the header, got none"),
        (["id\tsequence\ta", "x\tACGT"], "line 2: expected 3 columns, got 2"),
        (["id\tsequence\ta", "x\tACXT\t1"], "line 2: .*got 'X' at position 2"),
        (["id\tsequence\ta", "x\tACGT\t1", "y\tACG\t0"], "line 3: .*one length.* 3 after 4"),
        (["id\tsequence\ta", "x\t\t1"], "line 2: .*one length, at least 1; got 0"),
        (["id\tsequence\ta", "x\tACGT\tyes"], "line 2, a: expected a number or nothing, got 'yes'"),
        (["id\tsequence\ta", "x\tACGT\t2"], "line 2, a: expected a label from 0 to 1, got '2'"),
        (["id\tsequence\ta", "x\tACGT\tinf"], "line 2, a: expected a label from 0 to 1, got 'inf'"),
        (["id\tsequence\ta", "x\tACGT\t1"], "expected labels of 'a' to .* on, got none"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path, lines, message):
    path = tmp_path / "t.tsv"
    path.write_text("".join(f"{line}\n" for line in lines))
    with pytest.raises(ValueError, match=message) as error:
        Table(path)
    assert str(path) in str(error.value)


def test_counts_may_be_large_but_not_negative(tmp_path):
    rows = [(i, s, 1 + 7 * i) for i, s in enumerate(planted(60, "GATA", 0))]
    header = ("id", "sequence", "reads")
    data = Table(table(tmp_path / "t.tsv", rows, header), "poisson")
    assert data.epoch(0, 0)[1].max() > 1
    rows[3] = (3, rows[3][1], -1)
    with pytest.raises(ValueError, match="line 5, reads: expected a label from 0 to inf, got '-1'"):
        Table(table(tmp_path / "t.tsv", rows, header), "poisson")


def test_one_table_is_all(tmp_path, peaks):
    path = table(tmp_path / "t.tsv", labelled_rows(60))
    assert isinstance(examples([path]), Table)
    with pytest.raises(ValueError, match="data: expected one table and nothing else, got 2"):
        examples([path, peaks[0]])


def test_equal_labels_validate_nothing(tmp_path):
    rows = [(i, s, 1) for i, s in enumerate(planted(60, "GATA", 0))]
    data = Table(table(tmp_path / "t.tsv", rows, ("id", "sequence", "a")))
    model = ExplaiNN(**CONFIG, length=40, tasks=data.tasks).eval()
    with pytest.raises(ValueError, match="data: expected different labels to validate by"):
        Validation(data, "binary")(model)


def test_numbers_are_validated_by_their_correlation(tmp_path):
    rows = [(i, s, i / 7, i % 5 or "") for i, s in enumerate(planted(200, "GATA", 0))]
    data = Table(table(tmp_path / "t.tsv", rows), "mse")
    torch.manual_seed(0)
    model = ExplaiNN(**CONFIG, length=40, tasks=data.tasks).eval()
    codes, labels = both_strands(*data.held_out)
    outputs = predict(model, codes).numpy()
    found = []
    for y, t in zip(outputs.T, labels.numpy().T):
        known = ~np.isnan(t)
        found.append(np.corrcoef(y[known], t[known])[0, 1])
    assert Validation(data, "mse")(model) == pytest.approx(np.mean(found), abs=1e-5)


# Training


def train(out, data, **arguments):
    return train_explainn(
        data, out=out, **{"params": PARAMS, "progress": False} | CONFIG | arguments
    )


def test_a_short_training_improves_and_is_written_down(peaks, tmp_path):
    folder = train(tmp_path / "a", peaks)
    model = hub.load(folder)
    training = json.loads((folder / "training.json").read_text())
    assert model.tasks == ("gata", "ap1") and model.length == 40
    validation = Validation(Peaks(peaks), "binary")
    assert validation(model) == pytest.approx(training["validation_auc"], abs=1e-6)
    assert validation(model) > 0.8
    torch.manual_seed(0)
    assert validation(ExplaiNN(**CONFIG, length=40, tasks=model.tasks).eval()) < 0.7
    assert training["data"].keys() == {"gata.fa", "ap1.fa"} and training["epochs"] == 4
    assert training["validation_auc_by_task"].keys() == {"gata", "ap1"}
    assert training["params"]["learning_rate"] == 0.01
    assert training["command"].endswith("gata.fa --data " + str(peaks[1]) + " --epochs 4 --seed 0")


@pytest.mark.parametrize("loss", ["binary", "multiclass", "mse", "poisson", "pearson"])
def test_every_loss_trains_on_a_table_with_missing_labels(tmp_path, loss):
    rows = [(name, s, a, 1 - a if b != "" else "") for name, s, a, b in labelled_rows()]
    path = table(tmp_path / "t.tsv", rows)
    params = MultiTaskParams(loss=loss, learning_rate=0.01, batch_size=50, epochs=2)
    folder = train(tmp_path / "a", [path], params=params)
    model = hub.load(folder)
    assert all(v.isfinite().all() for v in model.state_dict().values())
    training = json.loads((folder / "training.json").read_text())
    classes = loss in ("binary", "multiclass")
    assert ("validation_auc" if classes else "validation_correlation") in training


def test_one_seed_is_one_file_and_a_killed_run_resumes_to_it(peaks, tmp_path, monkeypatch):
    def weights(folder):
        return (folder / "model.safetensors").read_bytes()

    calls = []

    class Killed(Validation):
        def __call__(self, model):
            calls.append(0)
            if len(calls) == 3:
                raise KeyboardInterrupt
            return super().__call__(model)

    whole = train(tmp_path / "whole", peaks)
    with monkeypatch.context() as patched:
        patched.setattr(multitask, "Validation", Killed)
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "a", peaks)
    with pytest.raises(ValueError, match="another run"):
        train(tmp_path / "a", peaks, seed=1)
    assert weights(train(tmp_path / "a", peaks)) == weights(whole)
    assert weights(train(tmp_path / "b", peaks, seed=1)) != weights(whole)


def test_wrong_params_are_refused():
    with pytest.raises(ValueError, match=r"loss: expected one of binary, .*, got 'hinge'"):
        MultiTaskParams(loss="hinge")
    with pytest.raises(ValueError, match="precision: expected"):
        MultiTaskParams(precision="float16")


def test_the_recipe_has_epochs_for_every_model_of_the_paper():
    for name in ("explainn", *registered(Baseline)):
        rate = 0.001 if name == "danq" else 0.003  # the paper's; see the recipe
        assert MultiTaskParams.of(name).learning_rate == rate
        assert MultiTaskParams.of(name).batch_size == 100
    assert MultiTaskParams.of("danq", epochs=2).epochs == 2
    assert MultiTaskParams.of("another") == MultiTaskParams()


def test_a_baseline_trains_by_its_name(peaks, tmp_path):
    config = {"filters": 4, "state": 4, "hidden": 6}
    params = MultiTaskParams(epochs=1)
    folder = train_baseline(
        "danq", peaks, out=tmp_path / "a", params=params, progress=False, **config
    )
    training = json.loads((folder / "training.json").read_text())
    assert hub.load(folder).config.items() >= config.items()
    assert training["command"].startswith("shiftsmooth train baseline danq --data")


def test_filters_start_from_jaspar_and_stay_if_frozen(peaks, tmp_path):
    arguments = {"units": 4, "params": MultiTaskParams(epochs=1), "width": 19}
    frozen = train(tmp_path / "frozen", peaks, filters="jaspar-frozen", **arguments)
    free = train(tmp_path / "free", peaks, filters="jaspar", **arguments)
    start, names = jaspar_filters(2)
    assert torch.equal(hub.load(frozen).filters, start)
    difference = (hub.load(free).filters - start).abs().max()
    assert 0 < difference < 0.5
    training = json.loads((free / "training.json").read_text())
    assert training["filters"] == list(names) and "--filters jaspar " in training["command"]
    with pytest.raises(ValueError, match=r"units: expected an even number.*got 3"):
        train(tmp_path / "odd", peaks, filters="jaspar", units=3)


@pytest.mark.parametrize("hidden", [0, 4])
def test_trained_models_become_units(peaks, tmp_path, hidden):
    torch.manual_seed(0)
    experts = {name: DeepBind([3], [5], tasks=[name]).eval() for name in ("x", "y")}
    params = MultiTaskParams(epochs=1)
    folder = train_model_units(
        experts, peaks, out=tmp_path / "a", hidden=hidden, params=params, progress=False
    )
    model = hub.load(folder)
    assert model.tasks == ("gata", "ap1") and model.unit_names == ("x", "y")
    for name, expert in experts.items():
        kept = model.models[name].state_dict()
        assert all(torch.equal(kept[key], value) for key, value in expert.state_dict().items())
