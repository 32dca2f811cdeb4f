import pytest
import torch

from modelzoo.architectures.deepbind import DeepBind
from modelzoo.datasets.planted import Simulation
from modelzoo.sequences import Record, one_hot
from modelzoo.studies import demo
from modelzoo.zoo.catalog import list_models


@pytest.fixture
def detector():
    """A model made by hand, whose logit is the number of letters of AGATAA found at one place."""
    model = DeepBind(filters=[1], widths=[7], pooling="max", embedding_size=1).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.trunk[0].weight[0, :, :6] = one_hot("AGATAA")[0]
        model.hidden.weight.fill_(1)
        model.output.weight.fill_(1)
    return model


def test_detector_of_the_motif_is_seen_to_find_it(detector, tmp_path):
    done = demo.run(detector, tmp_path, count=40, logos=3)
    assert [prediction.logits[0] for prediction in done.planted] == pytest.approx([6] * 20)
    assert max(prediction.logits[0] for prediction in done.plain) < 6
    # A maximum sees one of the two motifs, and gives every position of it the same.
    assert done.found["gradient"] > 0.65
    page = done.page.read_text()
    assert page.count("<article") == 3


def test_same_seed_same_sequences(detector, tmp_path):
    first, second, other = (
        demo.run(detector, tmp_path, count=10, logos=0, seed=seed) for seed in (0, 0, 1)
    )
    assert first == second
    assert first.plain != other.plain


def test_sequences_look_like_the_factor_whose_motif_they_have():
    data = Simulation.from_toml(demo.SIMULATION, name="gata").sample(20, seed=1)
    bound = [Record(str(i), text) for i, text in enumerate(data.strings()) if data.labels[i]]
    factors = demo.looks_like(bound)
    assert next(iter(factors)) == "GATA3"
    experts = {name.removeprefix("deepbind-").upper() for name in list_models("deepbind")}
    assert set(factors) == {name for name in experts if "-" not in name}
    assert list(factors.values()) == sorted(factors.values(), reverse=True)
