"""The DNABERT baseline of the mixture paper: 6-mers, embedded by DNABERT, and one more encoder.

The paper (section I): 6-mer embeddings of a pretrained DNABERT, a transformer encoder of 1 layer, 4
heads and 2,048 nodes, dropout 0.37. It does not say how the encoder's outputs become one
logit; here a linear layer reads their mean over the sequence.

DNABERT reads the numbers of 6-mers, which have no gradient. Here a 6-mer's embedding is the mean of
all 6-mers' embeddings, weighted by the product of its six bases' weights: for letters the same, for
N the mean over bases, and any attribution to letters works.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from modelzoo.architectures.layers import as_input, windowed
from modelzoo.architectures.pretrained import Pretrained, checked_tasks, register

HUB = "zhihan1996/DNA_bert_6"
K = 6
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")  # tokens before the first 6-mer
CONFIG = (  # what of a BERT's configuration decides what it computes
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "hidden_act",
    "layer_norm_eps",
)


@register
class DNABERT(Pretrained):
    """A frozen BERT over 6-mers, then an encoder layer that is trained.

    `from_bert` takes the weights; by itself the BERT is untrained. A sequence of fewer than
    six positions is padded; of a sequence longer than BERT's positions the middle is read.

    Args:
        bert: Arguments of `transformers.BertConfig`, without the size of the vocabulary.
        letters: The order of the bases in which the vocabulary lists the 6-mers.
        dropout: Dropout probability of the encoder layer.
        tasks: Names of the outputs.
    """

    architecture = "dnabert"

    def __init__(
        self,
        bert: Mapping[str, Any],
        letters: str = "ATCG",
        dropout: float = 0.37,
        tasks: Sequence[str] = ("binding",),
    ) -> None:
        super().__init__()
        try:
            from transformers import BertConfig, BertModel
        except ImportError as error:
            raise ImportError("DNABERT needs transformers: pip install transformers") from error
        if sorted(letters) != sorted("ACGT"):
            raise ValueError(f"letters: expected A, C, G and T in some order, got {letters!r}")
        self.tasks = checked_tasks(tasks)
        self.config: dict[str, Any] = {
            "bert": dict(bert),
            "letters": letters,
            "dropout": dropout,
            "tasks": list(tasks),
        }
        size = BertConfig(vocab_size=len(SPECIAL) + 4**K, **bert)
        #: The frozen BERT.
        self.bert = BertModel(size, add_pooling_layer=False)
        self.bert.requires_grad_(False).eval()
        self.longest = size.max_position_embeddings - 2 + K - 1  # bases; [CLS] and [SEP] take two
        self.encoder = nn.TransformerEncoderLayer(
            size.hidden_size, nhead=4, dim_feedforward=2048, dropout=dropout, batch_first=True
        )
        self.output = nn.Linear(size.hidden_size, len(self.tasks))

    @classmethod
    def from_bert(cls, source: str | Path = HUB, tasks: Sequence[str] = ("binding",)) -> DNABERT:
        """Return a model with a trained BERT; the layers after it are untrained.

        Args:
            source: A folder with a BERT as `transformers` saves it and its `vocab.txt`, or a
                repository on the Hub.
            tasks: Names of the outputs.

        Raises:
            ValueError: The vocabulary is not that of 6-mers.
            OSError: There is no such folder, or the Hub cannot be reached.
        """
        from transformers import BertModel

        bert = BertModel.from_pretrained(source, add_pooling_layer=False)
        model = cls(
            {name: getattr(bert.config, name) for name in CONFIG},
            letters=_letters(_vocabulary(source)),
            tasks=tasks,
        )
        model.bert.load_state_dict(bert.state_dict())
        return model

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, 4, L) of any dtype -> (B, tasks)."""
        return self.output(self.encoder(self.embed(x)).mean(dim=1))

    def embed(self, x: Tensor) -> Tensor:
        """Return the BERT's embeddings of the 6-mers, (B, 4, L) -> (B, L - 5, hidden size)."""
        x = as_input(x, self.output.weight)
        x = windowed(x, min(max(x.shape[-1], K), self.longest))
        table = self.bert.embeddings.word_embeddings.weight
        words = self._weights(x).transpose(1, 2) @ table[len(SPECIAL) :]
        ends = table[[SPECIAL.index("[CLS]"), SPECIAL.index("[SEP]")]].expand(len(x), -1, -1)
        words = torch.cat([ends[:, :1], words, ends[:, 1:]], dim=1)
        return self.bert(inputs_embeds=words).last_hidden_state[:, 1:-1]

    def train(self, mode: bool = True) -> DNABERT:
        """Set the mode of the trained layers; the BERT stays in eval mode, its dropout off."""
        super().train(mode)
        self.bert.eval()
        return self

    def _weights(self, x: Tensor) -> Tensor:
        """Return the weight of every 6-mer at every start, (B, 4, L) -> (B, 4096, L - 5)."""
        x = x[:, ["ACGT".index(letter) for letter in self.config["letters"]]]
        starts = x.shape[-1] - K + 1
        weights = x[..., :starts]
        for offset in range(1, K):
            base = x[..., offset : offset + starts]
            weights = (weights[:, :, None] * base[:, None]).flatten(1, 2)
        return weights


def _vocabulary(source: str | Path) -> Path:
    if Path(source).is_dir():
        path = Path(source) / "vocab.txt"
        if not path.is_file():
            raise ValueError(f"source: expected vocab.txt in {source}, which is not there")
        return path
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(str(source), "vocab.txt"))


def _letters(path: Path) -> str:
    """Return the order of the bases in a vocabulary of 6-mers."""
    tokens = path.read_text(encoding="utf-8").split()
    letters = "".join(token[-1] for token in tokens[len(SPECIAL) : len(SPECIAL) + 4])
    if tokens != [*SPECIAL, *map("".join, product(letters, repeat=K))]:
        raise ValueError(
            f"{path}: expected {', '.join(SPECIAL)} and all {4**K} {K}-mers in order, got "
            f"{len(tokens)} tokens beginning {' '.join(tokens[:7])}"
        )
    return letters
