def test_publish_prints_where_the_model_is(tiny, hub, shiftsmooth, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hub.token)
    done = shiftsmooth("publish", "tiny-gata3", "--repo-id", "someone/binding")
    assert done.code == 0
    assert f"{hub.url}/someone/binding/commit/" in done.out


def test_publish_without_a_token_is_failed_work(tiny, hub, shiftsmooth):
    done = shiftsmooth("publish", "tiny-gata3", "--repo-id", "someone/binding")
    assert done.code == 1
    assert "401" in done.err


def test_publish_of_a_space_prints_where_it_is(hub, shiftsmooth, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hub.token)
    done = shiftsmooth("publish", "--space", "someone/explorer")
    assert done.code == 0
    assert "someone/explorer/commit/" in done.out.replace("\n", "")
    assert list(hub.repos) == ["someone/explorer"]


def test_publish_takes_a_model_or_a_space(hub, shiftsmooth):
    for words in ((), ("tiny-gata3",), ("tiny-gata3", "--space", "a/b"), ("--repo-id", "a/b")):
        done = shiftsmooth("publish", *words)
        assert done.code == 2
        assert "expected NAME with --repo-id, or --space alone" in done.err
    assert hub.requests == []
