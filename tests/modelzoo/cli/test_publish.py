def test_publish_prints_where_the_model_is(tiny, hub, shiftsmooth, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", hub.token)
    done = shiftsmooth("publish", "tiny-gata3", "--repo-id", "someone/binding")
    assert done.code == 0
    assert f"{hub.url}/someone/binding/commit/" in done.out


def test_publish_without_a_token_is_failed_work(tiny, hub, shiftsmooth):
    done = shiftsmooth("publish", "tiny-gata3", "--repo-id", "someone/binding")
    assert done.code == 1
    assert "401" in done.err
