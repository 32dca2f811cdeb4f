import re

import pytest


@pytest.mark.slow
def test_demo_shows_what_a_moved_window_changes_and_where_to_look(shiftsmooth, tmp_path):
    from modelzoo.architectures.moe import MixtureOfExperts

    MixtureOfExperts({"GATA3": {"filters": [4], "widths": [9]}}).save_pretrained(tmp_path / "moe")
    done = shiftsmooth("demo", "-m", tmp_path / "moe", "-o", tmp_path / "out")
    assert done.code == 0
    assert "gate_GATA3" in done.out
    first, *moved = done.out.splitlines()[:3]
    assert int(re.search(r"right on (\d+)%", first)[1]) > 90
    gradient, smooth = ([float(v) for v in re.findall(r"[01]\.\d{3}", line)] for line in moved)
    assert all(low < high for low, high in zip(gradient, smooth, strict=True))
    assert smooth[0] > 0.99 > 0.9 > gradient[0]
    assert f"Look at {tmp_path / 'out' / 'shifts.png'}" in done.out
    assert (tmp_path / "out" / "shifts.png").read_bytes().startswith(b"\x89PNG")
    assert f"Look at {tmp_path / 'out' / 'index.html'}" in done.out
    assert (tmp_path / "out" / "index.html").read_text().count("<article ") == 6
