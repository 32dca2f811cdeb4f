"""The DNABERT baseline of the mixture paper: 6-mers, embedded by DNABERT, and one more encoder.

The paper (section I): 6-mer embeddings of a pretrained DNABERT, a transformer encoder of 1 layer, 4
heads and 2,048 nodes, dropout 0.37. It does not say how the encoder's outputs become one
logit; here a linear layer reads their mean over the sequence.

DNABERT reads the numbers of 6-mers, which have no gradient. Here a 6-mer's embedding is the mean of
all 6-mers' embeddings, weighted by the product of its six bases' weights: for letters the same, for
N the mean over bases, and any attribution to letters works.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Annotated, TypedDict

import torch
from torch import Tensor, nn

from modelzoo.architectures.arguments import (
    Count,
    Expected,
    Layers,
    Names,
    Probability,
    check,
    one_of,
    whole,
)
from modelzoo.architectures.layers import as_input, windowed
from modelzoo.architectures.pretrained import Pretrained, register
from modelzoo.architectures.weights import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    WeightsError,
    read_bounded,
    read_config,
    read_tensors,
    without_numbers,
)

HUB = "zhihan1996/DNA_bert_6"
K = 6
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")  # tokens before the first 6-mer
VOCABULARY_FILE = "vocab.txt"


class Bert(TypedDict, total=False):
    """The arguments of `transformers.BertConfig` that a BERT here may have.

    Others are refused: some let `transformers` fetch code from the Hub and run it, such as
    `attn_implementation` and `auto_map`.
    """

    hidden_size: Annotated[
        int, Expected("a multiple of 4 up to 8192", lambda n: n in range(4, 8193, 4))
    ]
    num_hidden_layers: Layers
    num_attention_heads: Annotated[int, whole(1, 128)]
    intermediate_size: Count
    max_position_embeddings: Annotated[int, whole(3, 65_536)]
    hidden_act: Annotated[str, one_of("gelu", "gelu_new", "relu", "silu")]
    layer_norm_eps: Annotated[float, Expected("a number from 0 to 1", lambda e: 0 < e <= 1)]


@register
class DNABERT(Pretrained):
    """A frozen BERT over 6-mers, then an encoder layer that is trained.

    `from_bert` takes the weights; by itself the BERT is untrained. A sequence of fewer than
    six positions is padded; of a sequence longer than BERT's positions the middle is read.

    Args:
        bert: Arguments of `transformers.BertConfig`, of those in `Bert`.
        letters: The order of the bases in which the vocabulary lists the 6-mers.
        dropout: Dropout probability of the encoder layer.
        tasks: Names of the outputs.
    """

    architecture = "dnabert"

    def __init__(
        self,
        bert: Bert,
        letters: Annotated[
            str, Expected("A, C, G and T in some order", lambda t: sorted(t) == list("ACGT"))
        ] = "ATCG",
        dropout: Probability = 0.37,
        tasks: Names = ("binding",),
    ) -> None:
        super().__init__()
        try:
            from transformers import BertConfig, BertModel
        except ImportError as error:
            raise ImportError("DNABERT needs transformers: pip install transformers") from error
        self.tasks = tuple(tasks)
        size = BertConfig(vocab_size=len(SPECIAL) + 4**K, **bert)
        #: The frozen BERT.
        self.bert = BertModel(size, add_pooling_layer=False)
        self.bert.requires_grad_(False).eval()
        # Not part of the weights, so they must have numbers even where the rest has none.
        places = torch.arange(size.max_position_embeddings, device="cpu")[None]
        self.bert.embeddings.register_buffer("position_ids", places, persistent=False)
        types = torch.zeros_like(places)
        self.bert.embeddings.register_buffer("token_type_ids", types, persistent=False)
        self.longest = size.max_position_embeddings - 2 + K - 1  # bases; [CLS] and [SEP] take two
        self.encoder = nn.TransformerEncoderLayer(
            size.hidden_size, nhead=4, dim_feedforward=2048, dropout=dropout, batch_first=True
        )
        self.output = nn.Linear(size.hidden_size, len(self.tasks))

    @classmethod
    def from_bert(cls, folder: str | Path, tasks: Names = ("binding",)) -> DNABERT:
        """Return a model with a trained BERT; the layers after it are untrained.

        Args:
            folder: A BERT of 6-mers as `transformers` saves it: `config.json`,
                `model.safetensors` and `vocab.txt`. `modelzoo.zoo.hub.bert_folder` downloads one.
            tasks: Names of the outputs.

        Raises:
            WeightsError: A file is missing, is of another model or lacks tensors.
        """
        folder = Path(folder)
        options, letters = bert_options(folder), _letters(folder / VOCABULARY_FILE)
        with without_numbers():
            expected = cls(options, letters, tasks=tasks).bert.state_dict()
        weights = folder / WEIGHTS_FILE
        tensors = read_tensors(weights, expected, str(weights), prefix="bert.")
        model = cls(options, letters, tasks=tasks)
        model.bert.load_state_dict(tensors)
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


def bert_options(folder: Path) -> Bert:
    """Return the arguments of the BERT in a folder, from the `config.json` of `transformers`.

    Raises:
        WeightsError: It is no BERT, or asks for code or numbers that are not its own.
    """
    path = folder / CONFIG_FILE
    config = read_config(path, str(path))
    expected = {
        "model_type": ("bert",),
        "position_embedding_type": ("absolute", None),
        "is_decoder": (False, None),
        "auto_map": (None,),
        "quantization_config": (None,),
    }
    for key, values in expected.items():
        if (found := config.get(key)) not in values:
            raise WeightsError(f"{path}: {key}: expected {values[0]}, got {found!r}")
    options = {key: config[key] for key in Bert.__annotations__ if key in config}
    try:
        return check("bert", options, Bert)
    except ValueError as error:
        raise WeightsError(f"{path}: {error}") from error


def _letters(path: Path) -> str:
    """Return the order of the bases in a vocabulary of 6-mers."""
    tokens = read_bounded(path, str(path)).decode(errors="replace").split()
    letters = "".join(token[-1] for token in tokens[len(SPECIAL) : len(SPECIAL) + 4])
    if tokens != [*SPECIAL, *map("".join, product(letters, repeat=K))]:
        raise WeightsError(
            f"{path}: expected {', '.join(SPECIAL)} and all {4**K} {K}-mers in order, got "
            f"{len(tokens)} tokens beginning {' '.join(tokens[:7])}"
        )
    return letters
