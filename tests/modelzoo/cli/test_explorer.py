import sys

import pytest

pytest.importorskip("starlette")


def test_an_explorer_that_shares_nothing_listens_on_this_machine_alone(shiftsmooth, monkeypatch):
    served = []
    monkeypatch.setattr(
        "modelzoo.app.server.uvicorn.run", lambda app, host, **_: served.append(host)
    )
    done = shiftsmooth("app", "-m", "deepbind-gata3", "--share-nothing", "--host", "0.0.0.0")
    assert done.code == 2 and "with --share-nothing, got '0.0.0.0'" in " ".join(done.err.split())
    assert shiftsmooth("app", "-m", "deepbind-gata3", "--share-nothing").code == 0
    assert served == ["127.0.0.1"]


def test_an_explorer_without_its_packages_says_how_to_get_them(shiftsmooth, monkeypatch):
    monkeypatch.setitem(sys.modules, "modelzoo.app.server", None)
    done = shiftsmooth("app", "-m", "deepbind-gata3")
    assert done.code == 2 and "pip install 'shiftsmooth[app]'" in " ".join(done.err.split())
