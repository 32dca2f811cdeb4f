"""What a visitor takes home says the same as the page."""

import csv
import io

import pytest

from modelzoo.app import explain, files
from modelzoo.app.explain import Question
from modelzoo.reports.figures import svg

pytestmark = pytest.mark.slow  # JASPAR's motifs are read and scanned for


@pytest.fixture(scope="module")
def question(expert):
    return Question.of(expert, "deepbind-gata3", "TTCAGATAAGATTCCAGATAAGC" * 2, max_shift=3)


def test_the_table_holds_the_numbers_of_the_page(question):
    rows = list(csv.DictReader(io.StringIO(files.table(question))))
    quick, slow = explain.quick(question), explain.slow(question)
    assert "".join(row["letter"] for row in rows) == question.letters
    wanted = {name: row["heights"] for name, row in quick["rows"].items()}
    spreads = {name: row["spread"] for name, row in quick["rows"].items()}
    spreads |= explain.bars(question)
    wanted |= {"ism": slow["row"]["heights"]}
    wanted |= {f"{name}_deviation": numbers for name, numbers in spreads.items()}
    wanted |= {f"to_{base}": effects for base, effects in zip("ACGT", slow["effects"])}
    for name, numbers in wanted.items():
        found = [float(row[name]) for row in rows]
        assert found == pytest.approx(numbers, rel=1e-4, abs=1e-5), name


def test_the_lines_of_python_make_the_same_figure(question, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = {}
    exec(files.lines(question), made)
    assert (tmp_path / "logos.svg").stat().st_size > 10_000
    assert svg(made["figure"], "logos") == files.picture(files.logos(question), "svg").decode()


def test_a_picture_is_a_picture(question):
    figure = files.logos(question)
    assert files.picture(figure, "png").startswith(b"\x89PNG")
    assert files.picture(figure, "svg").startswith(b"<?xml")
    assert files.picture(files.moved(question), "png").startswith(b"\x89PNG")


def test_a_window_over_one_letter_cannot_move(expert):
    with pytest.raises(ValueError, match="sequence: expected 2 letters or more"):
        files.moved(Question.of(expert, "deepbind-gata3", "A", max_shift=0))
