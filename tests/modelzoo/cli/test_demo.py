import pytest


@pytest.mark.slow
def test_demo_shows_where_to_look(shiftsmooth, tmp_path):
    from modelzoo.architectures.moe import MixtureOfExperts

    MixtureOfExperts({"GATA3": {"filters": [4], "widths": [9]}}).save_pretrained(tmp_path / "moe")
    done = shiftsmooth("demo", "-m", tmp_path / "moe", "-o", tmp_path / "out")
    assert done.code == 0
    assert "gate_GATA3" in done.out
    assert f"Look at {tmp_path / 'out' / 'shifts.png'}" in done.out
    assert (tmp_path / "out" / "shifts.png").is_file()
    assert f"Look at {tmp_path / 'out' / 'index.html'}" in done.out
    assert (tmp_path / "out" / "index.html").read_text().count("<article ") == 6
