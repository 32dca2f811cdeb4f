"""Tracks of a small genome, against a loop over its windows."""

import copy

import numpy as np
import pyBigWig
import pytest
import torch

from modelzoo.apply import scan as module
from modelzoo.apply.scan import scan
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.attribution.quality import read_quality
from modelzoo.errors import WorkError
from modelzoo.sequences import Interval, one_hot
from modelzoo.workers import Part

WIDTH = 21
SIZES = {"chr2": 120, "chr1": 600}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    # In float64: rounding decides which of two equal sites holds the largest value.
    return DeepBind(filters=[4], widths=[5], tasks=["GATA3", "FOXM1"]).eval().double()


@pytest.fixture
def letters(tmp_path, monkeypatch):
    """The chromosomes; one has a run of N longer than a window and one that is shorter."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "CHUNK", 128)
    rng = np.random.default_rng(0)
    found = {chrom: "".join(rng.choice(list("ACGT"), size)) for chrom, size in SIZES.items()}
    text = found["chr1"]
    found["chr1"] = text[:200] + "N" * 60 + text[260:330] + "n" * 7 + text[337:400].lower()
    found["chr1"] += text[400:]
    return found


@pytest.fixture
def genome(letters, tmp_path):
    path = tmp_path / "genome.fa"
    path.write_text("".join(f">{chrom}\n{text}\n" for chrom, text in letters.items()))
    return path


def looped(model, text, step, task=0, strands=2):
    """Both tracks of a chromosome: every window on its own, in float64."""
    length = len(text)
    x = one_hot([text])[0].double()
    starts = [start for start in range(0, length - WIDTH + 1, step)
              if set(text[start : start + WIDTH].upper()) != {"N"}]  # fmt: skip
    windows = torch.stack([x[:, start : start + WIDTH] for start in starts])
    values, gradients = 0.0, 0.0
    for flip in [False, True][:strands]:
        rows = (windows.flip(1, 2) if flip else windows.clone()).requires_grad_()
        output = model(rows)[:, task]
        (gradient,) = torch.autograd.grad(output.sum(), rows)
        gradients = gradients + (gradient.flip(1, 2) if flip else gradient) / strands
        values = values + output.detach().numpy() / strands
    total, count, outputs = torch.zeros_like(x), torch.zeros(length), np.full(length, np.nan)
    wide = min(step, WIDTH)
    for start, value, gradient in zip(starts, values, gradients):
        total[:, start : start + WIDTH] += gradient
        count[start : start + WIDTH] += 1
        middle = start + WIDTH // 2 - wide // 2
        outputs[middle : middle + wide] = value
    mean = total / count.clamp_min(1)
    scores = ((mean - mean.mean(0)) * x).sum(0).numpy()
    known = np.array([letter in "ACGT" for letter in text.upper()])
    return outputs, np.where(known & (count.numpy() > 0), scores, np.nan)


def read(path, chrom):
    with pyBigWig.open(str(path)) as file:
        return np.array(file.values(chrom, 0, SIZES[chrom]))


def same(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6 * np.nanmax(np.abs(wanted)))


@pytest.mark.parametrize("step", [1, 4, 30])
def test_tracks_are_those_of_the_loop_over_windows(model, genome, letters, tmp_path, step):
    tracks = scan(model, genome, tmp_path / "out", width=WIDTH, step=step, task="FOXM1")
    for chrom, text in letters.items():
        outputs, scores = looped(model, text, step, task=1)
        same(read(tracks.predictions, chrom), outputs)
        same(read(tracks.attributions, chrom), scores)


def test_one_strand_may_be_scanned_alone(model, genome, letters, tmp_path):
    tracks = scan(model, genome, tmp_path / "out", width=WIDTH, step=3, strands=1)
    same(read(tracks.attributions, "chr2"), looped(model, letters["chr2"], 3, strands=1)[1])


def test_regions_get_what_the_whole_genome_would_give_them(model, genome, tmp_path):
    whole = scan(model, genome, tmp_path / "whole", width=WIDTH, step=2)
    regions = [Interval("chr1", 390, 420), Interval("chr2", -5, 30), Interval("chr1", 410, 540)]
    some = scan(model, genome, tmp_path / "some", width=WIDTH, step=2, regions=regions)
    for name in ("predictions", "attributions"):
        everything = {chrom: read(getattr(whole, name), chrom) for chrom in SIZES}
        wanted = {chrom: np.full(size, np.nan) for chrom, size in SIZES.items()}
        wanted["chr1"][390:540] = everything["chr1"][390:540]
        wanted["chr2"][:30] = everything["chr2"][:30]
        for chrom in SIZES:
            same(read(getattr(some, name), chrom), wanted[chrom])


def test_the_result_is_the_same_for_other_parts(model, genome, tmp_path, monkeypatch):
    small = scan(model, genome, tmp_path / "small", width=WIDTH)
    monkeypatch.setattr(module, "CHUNK", 1024)
    large = scan(model, genome, tmp_path / "large", width=WIDTH)
    for one, other in zip(small, large):
        same(read(one, "chr1"), read(other, "chr1"))


def test_a_killed_scan_goes_on_and_gives_the_same_bytes(model, genome, tmp_path, monkeypatch):
    whole = scan(model, genome, tmp_path / "whole", width=WIDTH)
    do, done = Part.do, []

    def stops(part):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(part.path)
        do(part)

    monkeypatch.setattr(Part, "do", stops)
    with pytest.raises(KeyboardInterrupt):
        scan(model, genome, tmp_path / "out", width=WIDTH)
    assert not list((tmp_path / "out").glob("*.bw"))

    def goes_on(part):
        assert part.path not in done
        do(part)

    monkeypatch.setattr(Part, "do", goes_on)
    again = scan(model, genome, tmp_path / "out", width=WIDTH)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in whole]
    assert not (tmp_path / "out" / "cells").exists()


def test_a_scan_killed_between_its_files_goes_on(model, genome, tmp_path, monkeypatch):
    both = {"width": WIDTH, "formats": ("bigwig", "hdf5")}
    scan(model, genome, tmp_path / "whole", **both)

    def killed(path):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("modelzoo.tracks.scanned.whole_h5", killed)
        with pytest.raises(KeyboardInterrupt):
            scan(model, genome, tmp_path / "out", **both)
    assert (tmp_path / "out" / "predictions.bw").exists()
    scan(model, genome, tmp_path / "out", **both)
    for name in ("predictions.bw", "attributions.bw", "tracks.h5"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not (tmp_path / "out" / "cells").exists()


def test_parts_of_another_scan_are_not_taken(model, genome, tmp_path):
    with module.Genome(genome) as opened:
        intervals = module.chunks(opened, None, WIDTH)
    job = module.Scanning(model, genome, WIDTH, 1, 2, 0, None)
    keys = {part.key for part in module.parts_of(job, intervals, tmp_path, "w")}
    others = [
        module.parts_of(
            module.Scanning(model, genome, WIDTH, 2, 2, 0, None), intervals, tmp_path, "w"
        ),
        module.parts_of(
            module.Scanning(model, genome, WIDTH, 1, 2, 1, None), intervals, tmp_path, "w"
        ),
        module.parts_of(job, intervals, tmp_path, "other weights"),
    ]
    assert not keys & {part.key for parts in others for part in parts}


def test_no_base_is_in_two_parts(genome):
    regions = [Interval("chr1", 100, 200), Interval("chr1", 150, 300), Interval("chr1", 300, 301)]
    with module.Genome(genome) as opened:
        found = module.chunks(opened, regions, WIDTH)
    assert [(one.start, one.end) for one in found] == [(100, 256), (256, 301)]


def test_tracks_are_not_replaced_unless_asked(model, genome, tmp_path):
    regions = [Interval("chr2", 0, 50)]
    scan(model, genome, tmp_path, width=WIDTH, regions=regions)
    with pytest.raises(FileExistsError, match=r"output: .*predictions\.bw exists"):
        scan(model, genome, tmp_path, width=WIDTH, regions=regions)
    scan(model, genome, tmp_path, width=WIDTH, regions=regions, overwrite=True)


def test_numbers_that_are_not_finite_are_an_error(model, genome, tmp_path):
    broken = DeepBind(filters=[4], widths=[5], tasks=["GATA3"]).eval()
    torch.nn.init.constant_(broken.output.bias, float("nan"))
    with pytest.raises(WorkError, match="expected finite numbers"):
        scan(broken, genome, tmp_path / "out", width=WIDTH)
    assert not list((tmp_path / "out").glob("*.bw"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "width: expected one, for a model that is not of the catalog, got None"),
        ({"width": 0}, "width: expected"),
        ({"width": WIDTH, "step": 0}, "step: expected at least 1, got 0"),
        ({"width": WIDTH, "strands": 3}, "strands: expected 1 or 2, got 3"),
        ({"width": WIDTH, "task": "JUN"}, "task"),
        ({"width": WIDTH, "regions": []}, "regions: expected bases of the genome, got none"),
    ],
)
def test_wrong_arguments_are_named(model, genome, tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        scan(model, genome, tmp_path / "out", **options)


def test_a_scan_says_how_far_it_can_be_trusted(model, genome, tmp_path):
    model = copy.deepcopy(model).float()
    for name in ("one", "two"):
        scan(model, genome, tmp_path / name, step=5, width=WIDTH)
    found = read_quality(tmp_path / "one")
    assert 10 < found.sequences <= 200
    assert found.constant == ()
    assert found["saturated"].verdict == "good"
    one, two = ((tmp_path / name / "quality.json").read_bytes() for name in ("one", "two"))
    assert one == two
    scan(model, genome, tmp_path / "one", step=5, width=WIDTH, quality=False, overwrite=True)
    assert not (tmp_path / "one" / "quality.json").exists()
