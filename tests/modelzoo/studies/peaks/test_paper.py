"""Which models are the paper's, and the published numbers."""

import pytest

import modelzoo
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.architectures.moe import MixtureOfExperts
from modelzoo.architectures.tower import Tower
from modelzoo.studies.peaks.paper import is_published, published_auc, published_name
from modelzoo.studies.published import published


def test_published_figures_are_those_of_the_paper(toy_models):
    assert published_auc("moe_auc_published", "CTCF", "MoE") == pytest.approx(0.9344, abs=1e-4)
    assert published_auc("moe_auc_rigorous", "GATA3", "GATA3") == pytest.approx(0.7807, abs=1e-4)
    assert published_auc("moe_auc_published", "CTCF", None) is None
    assert [published_name(m) for m in toy_models.values()] == ["ARID3A", "FOXM1", "GATA3", "MoE"]
    assert published("argminn_table_s1")[0]["SPI1"] == "89.8"


def test_a_mixture_of_other_experts_is_not_the_papers():
    experts = {"a": DeepBind([2], [3]), "b": Tower(filters=2, stem=3, dilations=[])}
    assert published_name(MixtureOfExperts.from_experts(experts)) is None
    assert published_name(Tower(filters=2, stem=3, dilations=[], tasks=["GATA3"])) is None


@pytest.mark.slow
def test_the_catalog_tells_the_papers_models_as_the_models_do():
    for info in filter(lambda info: info.shipped, map(modelzoo.info, modelzoo.list_models())):
        assert is_published(info) == (published_name(modelzoo.load(info.name)) is not None)
