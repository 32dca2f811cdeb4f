import pytest

import modelzoo
from modelzoo.zoo import downloads
from modelzoo.zoo.hub import WeightsError


def test_eviction_removes_the_link_and_its_blob(tmp_path):
    blob, link = tmp_path / "blobs" / "b", tmp_path / "snapshots" / "c" / "file"
    for path in (blob, link):
        path.parent.mkdir(parents=True)
    blob.touch()
    link.symlink_to("../../blobs/b")
    downloads.evict(link, tmp_path)
    assert not link.is_symlink() and not blob.exists()


def test_eviction_removes_a_file_where_the_cache_has_no_links(tmp_path):
    (tmp_path / "file").touch()
    downloads.evict(tmp_path / "file", tmp_path)
    assert not (tmp_path / "file").exists()


def test_eviction_removes_nothing_outside_the_cache(tmp_path):
    cache, outside = tmp_path / "cache", tmp_path / "outside"
    cache.mkdir()
    outside.mkdir()
    (outside / "mine").touch()
    (cache / "file").symlink_to(outside / "mine")
    (cache / "folder").symlink_to(outside)
    downloads.evict(cache / "file", cache)
    downloads.evict(cache / "folder" / "mine", cache)
    assert (outside / "mine").exists()
    assert not (cache / "file").is_symlink()


def test_a_cached_link_to_a_file_of_the_user_is_refused_and_the_file_kept(tiny, hub, tmp_path):
    weights = {"model.safetensors": tiny.info.weights.read_bytes()}
    commit = hub.add(tiny.info.repo_id, weights)
    hub.repos[tiny.info.repo_id].refs[tiny.info.revision] = commit
    modelzoo.load(tiny.name, source="hub")
    (link,) = (tmp_path / "cache").rglob("model.safetensors")
    mine = tmp_path / "thesis"
    mine.write_text("three years of work")
    link.unlink()
    link.symlink_to(mine)
    with pytest.raises(WeightsError, match="it was not used"):
        modelzoo.load(tiny.name, source="hub")
    assert mine.read_text() == "three years of work"
    assert modelzoo.load(tiny.name, source="hub").tasks == ("GATA3",)
