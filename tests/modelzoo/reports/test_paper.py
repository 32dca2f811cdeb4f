import re

import numpy as np
import pandas
import pytest
import torch

from modelzoo.reports.paper import methods, peak_figure, save_for_paper
from modelzoo.sequences import Interval, one_hot, reverse_complement
from modelzoo.tracks.h5 import Attributed

SEQUENCE = "ACGTTGCAACCAGATAAGGATTACA" * 3


def peak(strand="+", interval=True, spread=False):
    x = one_hot([SEQUENCE])
    scores = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 4, 75))).float()
    bars = torch.arange(75)[None].float() / 100
    if strand == "-":
        x, scores, bars = reverse_complement(x), reverse_complement(scores), bars.flip(1)
    place = Interval("chr8", 1_000_099, 1_000_174, strand, "p") if interval else None
    return Attributed("p", 1.5, x[0], scores[0], bars[0].numpy() if spread else None, place)


def hits(*rows):
    names = ["chrom", "start", "end", "name", "attribution", "strand", "p_value", "windows"]
    return pandas.DataFrame(rows, columns=names)


GATA = ("chr8", 1_000_110, 1_000_118, "GATA3", 4.0, "+", 1e-5, 1)


def drawn(figure):
    """The letters of a figure, as outlines, and its error bars."""
    axes = figure.axes[-1]
    letters = [patch.get_path().vertices for patch in axes.patches]
    return [*letters, np.array(axes.collections[0].get_segments())]


@pytest.mark.parametrize("mm", [89, 183])
def test_a_figure_has_the_width_of_a_column(mm):
    assert peak_figure(peak(), "logit", width=mm).get_size_inches()[0] == pytest.approx(mm / 25.4)


def test_positions_are_those_of_the_genome_counted_from_one():
    axes = peak_figure(peak(), "logit", hits(GATA)).axes[-1]
    assert axes.get_xlim() == (1_000_099.5, 1_000_174.5)
    assert axes.get_xlabel() == "position on chr8"
    assert axes.get_ylabel() == "contribution\nto the logit"


def test_a_window_of_the_minus_strand_is_drawn_on_the_forward_strand():
    plus, minus = (peak_figure(peak(strand, spread=True), "logit") for strand in "+-")
    assert len(drawn(plus)) == 5
    for one, other in zip(drawn(plus), drawn(minus)):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_peak_of_no_genome_is_numbered_from_one():
    axes = peak_figure(peak(interval=False), "output").axes[-1]
    assert axes.get_xlim() == (0.5, 75.5)
    assert axes.get_xlabel() == "position in p"


def test_notable_motifs_that_speak_for_the_output_are_boxed():
    against = ("chr8", 1_000_140, 1_000_148, "NO", -3.0, "+", 1e-5, 1)
    axes = peak_figure(peak(), "logit", hits(GATA, against)).axes[-1]
    labels = {text.get_text(): text for text in axes.texts if text.get_text()}
    assert list(labels) == ["GATA3"]
    box = axes.patches[-1].get_extents().transformed(axes.transData.inverted())
    assert (box.x0, box.x1) == pytest.approx((1_000_110.5, 1_000_118.5))


def test_the_text_of_a_pdf_can_be_edited_and_its_page_has_the_width(tmp_path):
    save_for_paper(peak_figure(peak(), "logit", hits(GATA), width=89), tmp_path / "f.pdf")
    data = (tmp_path / "f.pdf").read_bytes()
    assert b"/TrueType" in data or b"/CIDFontType2" in data
    assert b"/Type3" not in data  # whose letters are drawings
    width = float(re.search(rb"/MediaBox \[ 0 0 ([\d.]+)", data)[1])
    assert width == pytest.approx(89 / 25.4 * 72, abs=0.1)


def test_an_svg_holds_its_text_and_equal_figures_are_equal_bytes(tmp_path):
    for name in ("one.svg", "one.pdf"):
        made = []
        for folder in ("a", "b"):
            (tmp_path / folder).mkdir(exist_ok=True)
            save_for_paper(peak_figure(peak(), "logit", hits(GATA)), tmp_path / folder / name)
            made.append((tmp_path / folder / name).read_bytes())
        assert made[0] == made[1]
    assert ">GATA3<" in (tmp_path / "a" / "one.svg").read_text()


def test_another_format_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"output: expected \.pdf, \.svg or \.png"):
        save_for_paper(peak_figure(peak(), "logit"), tmp_path / "f.docx")


ABOUT = {"model": "m", "checksum": "ab" * 32, "version": "0.1.0", "output": "logit", "task": "T"}
ABOUT |= {"method": "shiftsmooth", "max_shift": 7}


def test_the_methods_say_what_was_done_and_nothing_else():
    text = methods(ABOUT, 101)
    assert "Sequences of 101 bp were scored with the model m" in text
    assert "abababababab…" in text and "shifts of the sequence by up to 7 positions" in text
    assert "standard deviations" not in text and "JASPAR" not in text
    text = methods({**ABOUT, "spread": True}, 101, hits(GATA))
    assert "standard deviations" in text
    assert "JASPAR2026 (vertebrates) by FIMO at p < 0.0001" in text
    assert "a false discovery rate of 0.1" in text and "which none reached" in text
    assert "none reached" not in methods(ABOUT, 101, hits((*GATA[:3], "seqlet", *GATA[4:])))


def test_the_methods_name_another_method():
    text = methods({**ABOUT, "method": "saliency", "max_shift": 0}, 101)
    assert "computed by Saliency" in text and "shifts of" not in text
