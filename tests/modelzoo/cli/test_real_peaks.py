"""The commands of docs/peaks-to-figure.md on GATA3's peaks, from the intervals to the figure."""

import csv
import os
import re
import shlex
from pathlib import Path

import numpy as np
import pandas
import pytest

from modelzoo.datasets import chipseq
from modelzoo.sequences import read_intervals, read_seq
from modelzoo.sequences.encoding import reverse_complement_letters

PAGE = Path(__file__).parents[3] / "docs" / "peaks-to-figure.md"
needs_data = pytest.mark.skipif(
    "MODELZOO_DATA_DIR" not in os.environ, reason="MODELZOO_DATA_DIR names no folder of peaks"
)


def commands():
    (block,) = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return [shlex.split(line)[1:] for line in block.splitlines()]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A genome of the test set's peaks and shuffles, end to end, with the peaks as intervals."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    letters, lines, start = ["N" * 110], [], 110
    for number, record in enumerate(read_seq(chipseq.file("test", "GATA3"))):
        strand = "+-"[number // 2 % 2]
        turned = reverse_complement_letters(record.sequence)
        letters.append(record.sequence if strand == "+" else turned)
        end = start + len(record.sequence)
        if record.label == 1:
            lines.append(f"chr1\t{start}\t{end}\t.\t0\t{strand}\n")
        start = end
    Path("genome.fa").write_text(f">chr1\n{''.join(letters)}\n")
    Path("peaks.bed").write_text("".join(lines))
    Path("blacklist.bed").write_text("chr1\t0\t100\n")


@needs_data
@pytest.mark.slow
@pytest.mark.nightly
def test_six_commands_lead_from_real_peaks_to_a_figure(desk, shiftsmooth):
    assert len(commands()) == 6
    said = []
    for words in commands():
        done = shiftsmooth(*words)
        assert done.code == 0, f"{shlex.join(words)}: {done.err}"
        said.append(done.out)
    predicted = pandas.read_csv("predictions.tsv", sep="\t")
    assert len(predicted) == 500 and (predicted["probability"] > 0.5).mean() > 0.7
    with open("motifs/matches.tsv", newline="") as file:
        best = {
            row["Query_ID"]: row["Target_name"]
            for row in reversed(list(csv.DictReader(file, delimiter="\t")))
        }
    assert any(name.startswith("GATA") for name in best.values())
    assert {interval.chrom for interval in read_intervals("motifs/instances.bed")} == {"chr1"}
    for name, mm in (("figure2.pdf", 183), ("figure2b.pdf", 89)):
        data = Path(name).read_bytes()
        width = float(re.search(rb"/MediaBox \[ 0 0 ([\d.]+)", data)[1])
        assert width == pytest.approx(mm / 25.4 * 72, abs=0.1)
        assert b"/Type3" not in data
    quoted = re.findall(r"^> (.*)$", PAGE.read_text(), re.MULTILINE)
    assert said[-1].split() == " ".join(quoted).split()
    hits = pandas.read_csv("explained/hits.tsv", sep="\t")
    gata = hits[hits["name"].str.startswith("GATA") & (hits["p_value"] < 1e-4)]
    others = hits[~hits["name"].str.startswith(("GATA", "seqlet"))]
    assert gata["attribution"].mean() > 2 * others["attribution"].mean() + 0.5
    assert np.isfinite(hits["attribution"]).all()
