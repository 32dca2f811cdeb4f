import io

import pytest
from rich.console import Console

from modelzoo.cli import terminal


@pytest.fixture
def screen(monkeypatch):
    """What a terminal on standard error shows."""
    shown = io.StringIO()
    monkeypatch.setattr(
        terminal, "errors", Console(file=shown, force_terminal=True, width=80, color_system=None)
    )
    return shown


def test_items_count_for_as_many_as_they_hold_and_never_for_more_than_there_are(screen):
    assert list(terminal.progress(range(0, 130, 64), "attributing", 130, 64)) == [0, 64, 128]
    assert "130/130" in screen.getvalue() and "192" not in screen.getvalue()


def test_an_item_that_is_worked_on_does_not_count_yet(screen):
    made = iter(terminal.progress(range(0, 130, 64), "attributing", 130, 64))
    next(made), next(made)
    made.close()
    assert "64/130" in screen.getvalue() and "128/130" not in screen.getvalue()


def test_without_a_total_the_count_is_told_and_no_end(screen):
    assert len(list(terminal.progress(iter(range(1234)), "predicting"))) == 1234
    assert "1,234 " in screen.getvalue() and "/" not in screen.getvalue()


def test_nothing_is_shown_where_there_is_no_terminal(monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr(terminal, "errors", Console(file=shown))
    assert list(terminal.progress([1, 2], "predicting", 2)) == [1, 2]
    assert shown.getvalue() == ""
