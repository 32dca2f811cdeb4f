import json
import sys
from itertools import product

import numpy as np
import pytest
import torch
import transformers

from modelzoo.architectures.dnabert import DNABERT, SPECIAL
from modelzoo.sequences import one_hot
from modelzoo.training.multitask import MultiTaskParams, train_baseline
from modelzoo.zoo import hub

BERT = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
}
SEQUENCES = ["ACGTACGTTTGACA", "GATAAGATTACACC"]


def vocabulary(letters="ATCG"):
    return [*SPECIAL, *map("".join, product(letters, repeat=6))]


def save_bert(folder, letters="ATCG"):
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=5 + 4**6, **BERT)
    bert = transformers.BertModel(config, add_pooling_layer=False).eval()
    bert.save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(vocabulary(letters)) + "\n")
    return bert


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A tiny BERT, the folder it is saved in, and a model that took its weights."""
    folder = tmp_path_factory.mktemp("bert")
    bert = save_bert(folder)
    torch.manual_seed(1)
    return bert, folder, DNABERT.from_bert(folder, ["a", "b"]).eval()


def test_letters_are_embedded_as_the_tokens_of_their_6mers(trained):
    bert, _, model = trained
    tokens = vocabulary()
    numbers = [
        [tokens.index(word) for word in ("[CLS]", *(s[i : i + 6] for i in range(9)), "[SEP]")]
        for s in SEQUENCES
    ]
    with torch.no_grad():
        expected = bert(input_ids=torch.tensor(numbers)).last_hidden_state[:, 1:-1]
        assert torch.allclose(model.embed(one_hot(SEQUENCES)), expected, atol=1e-5)


def test_another_order_of_the_vocabulary_is_followed(tmp_path):
    bert = save_bert(tmp_path, "CAGT")
    model = DNABERT.from_bert(tmp_path).eval()
    tokens = vocabulary("CAGT")
    numbers = [tokens.index(w) for w in ("[CLS]", "ACGTAC", "CGTACG", "[SEP]")]
    with torch.no_grad():
        expected = bert(input_ids=torch.tensor([numbers])).last_hidden_state[:, 1:-1]
        assert torch.allclose(model.embed(one_hot("ACGTACG")), expected, atol=1e-5)


def test_an_unknown_base_is_the_mean_over_bases(trained):
    *_, model = trained
    weights = model._weights(one_hot("ACNTACG"))
    assert torch.allclose(weights.sum(1), torch.ones(1, 2))
    expected = sum(model._weights(one_hot(f"AC{base}TACG")) for base in "ACGT") / 4
    assert torch.allclose(weights, expected)


def test_letters_have_gradients(trained):
    *_, model = trained
    x = one_hot(SEQUENCES).requires_grad_()
    model(x)[:, 1].sum().backward()
    assert (x.grad.abs().sum((0, 1)) > 0).all()


@pytest.mark.parametrize("length", [1, 5, 6, 43, 44, 200])
def test_any_length_has_logits(trained, length):
    *_, model = trained
    x = one_hot("ACGTT" * 40)[..., :length]
    assert model(x).shape == (1, 2) and model(x.to(torch.int64)).shape == (1, 2)
    if length == 44:  # of 40 tokens, two of which are no 6-mers: 43 bases
        assert torch.equal(model(x), model(x[..., 1:]))


def test_only_what_follows_the_bert_is_trained(trained):
    *_, model = trained
    assert not any(p.requires_grad for p in model.bert.parameters())
    assert all(p.requires_grad for p in model.encoder.parameters())
    model.train()
    assert not any(m.training for m in model.bert.modules()) and model.encoder.training
    model.eval()


def test_the_encoder_is_the_papers(trained):
    encoder = trained[2].encoder
    assert encoder.self_attn.num_heads == 4 and encoder.linear1.out_features == 2048
    assert encoder.dropout.p == 0.37


def test_a_saved_model_is_read_back(trained, tmp_path):
    *_, model = trained
    model.save_pretrained(tmp_path)
    again = hub.load(tmp_path)
    x = one_hot(SEQUENCES)
    assert torch.equal(again(x), model(x)) and again.tasks == ("a", "b")


def test_another_vocabulary_is_refused(tmp_path):
    save_bert(tmp_path)
    (tmp_path / "vocab.txt").write_text("\n".join(vocabulary()[:-1]))
    with pytest.raises(ValueError, match=r"all 4096 6-mers in order, got 4100 tokens"):
        DNABERT.from_bert(tmp_path)
    (tmp_path / "vocab.txt").unlink()
    with pytest.raises(ValueError, match=r"vocab\.txt: expected a file"):
        DNABERT.from_bert(tmp_path)
    with pytest.raises(ValueError, match="letters: expected A, C, G and T"):
        DNABERT(BERT, letters="ACGU")


def test_a_training_keeps_the_bert_and_improves_what_follows(trained, tmp_path):
    bert, folder, _ = trained
    rng = np.random.default_rng(0)
    rows = ["".join(row) for row in rng.choice(list("ACGT"), (120, 14))]
    table = tmp_path / "t.tsv"
    lines = (f"{i}\t{row}\t{int(row.count('G') > 3)}\n" for i, row in enumerate(rows))
    table.write_text("id\tsequence\trich\n" + "".join(lines))
    params = MultiTaskParams(epochs=6, learning_rate=3e-3, batch_size=20)
    out = train_baseline(
        "dnabert", [table], out=tmp_path / "a", bert=folder, params=params, progress=False
    )
    kept = hub.load(out).bert.state_dict()
    assert all(torch.equal(kept[key], value) for key, value in bert.state_dict().items())
    training = json.loads((out / "training.json").read_text())
    assert training["validation_auc"] > 0.6 and f"--bert {folder}" in training["command"]
    with pytest.raises(ValueError, match="bert: expected None, for cnn1 has no BERT"):
        train_baseline("cnn1", [table], out=tmp_path / "b", bert=folder)


def test_a_package_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match="pip install transformers"):
        DNABERT(BERT)
