"""The gated mixture of frozen experts (section III-A of the paper, equations 1 and 4 to 10).

E = [e_1, ..., e_n]                    (4)  the experts' embeddings of the whole input
alpha = softmax(E W_gate + b_gate)     (5-7)
h_i = ReLU(e_i W_i + b_i)              (1)
m = sum_i alpha_i h_i                  (8)
o = m W_class + b_class                (9)  probability = sigmoid(o), (10)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from modelzoo.architectures.deepbind import DeepBind
from modelzoo.architectures.expert import Expert
from modelzoo.architectures.layers import as_input
from modelzoo.architectures.pretrained import Pretrained, checked_tasks, register, registered


class Experts(nn.ModuleDict):
    """The experts by name; calling it gives the feature maps of all of them side by side."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the experts' feature maps, (B, 4, L) -> (B, sum of their channels, L)."""
        return torch.cat([expert.trunk(x) for expert in self.values()], dim=1)  # type: ignore[operator]


class Mixture(nn.Module):
    """The part that is trained while the experts are frozen: from their embeddings to logits.

    Args:
        experts: Number n of experts.
        embedding_size: Size E of an expert's embedding, and of h.
        tasks: Number of outputs.
    """

    def __init__(self, experts: int, embedding_size: int, tasks: int) -> None:
        super().__init__()
        self.gate = nn.Linear(experts * embedding_size, experts)
        self.transforms = nn.ModuleList(
            nn.Linear(embedding_size, embedding_size) for _ in range(experts)
        )
        self.classifier = nn.Linear(embedding_size, tasks)

    def alpha(self, embeddings: Tensor) -> Tensor:
        """Return the weight of every expert, (B, n * E) -> (B, n); rows sum to 1."""
        return self.gate(embeddings).softmax(dim=1)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Return the logits, (B, n * E) -> (B, tasks)."""
        parts = embeddings.chunk(len(self.transforms), dim=1)
        hidden = [torch.relu(transform(e)) for transform, e in zip(self.transforms, parts)]
        mixed = (self.alpha(embeddings).unsqueeze(2) * torch.stack(hidden, dim=1)).sum(dim=1)
        return self.classifier(mixed)


@register
class MixtureOfExperts(Pretrained):
    """A gate over frozen experts, of one architecture or several, that all see the whole input.

    Args:
        experts: The experts' configurations, by factor: each an `"architecture"`, by default
            `"deepbind"`, with the arguments of its class. `from_experts` takes trained experts
            instead.
        tasks: Names of the outputs.
    """

    architecture = "moe"

    def __init__(
        self, experts: Mapping[str, Mapping[str, Any]], tasks: Sequence[str] = ("binding",)
    ) -> None:
        super().__init__()
        if not experts:
            raise ValueError("experts: expected at least one, got none")
        self.tasks = checked_tasks(tasks)
        #: The frozen experts, by factor.
        self.experts = Experts({name: _built(**config) for name, config in experts.items()})
        sizes = {name: expert.embedding_size for name, expert in self._named_experts()}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"experts: expected embeddings of one size, got {sizes}")
        self.experts.requires_grad_(False).eval()
        self.mixture = Mixture(len(sizes), next(iter(sizes.values())), len(self.tasks))
        self.config: dict[str, Any] = {
            "experts": {name: _described(expert) for name, expert in self._named_experts()},
            "tasks": list(tasks),
        }

    @classmethod
    def from_experts(
        cls, experts: Mapping[str, Expert], tasks: Sequence[str] = ("binding",)
    ) -> MixtureOfExperts:
        """Return a mixture of copies of trained experts, its gate untrained."""
        model = cls({name: _described(expert) for name, expert in experts.items()}, tasks)
        for name, expert in experts.items():
            model.experts[name].load_state_dict(expert.state_dict())
        return model

    def with_expert(self, name: str, expert: Expert) -> MixtureOfExperts:
        """Return a new mixture with one more expert; its gate is untrained, this one unchanged.

        Args:
            name: The new expert's key; none of the present ones.
            expert: The trained expert, which is copied.

        Example:
            >>> import modelzoo
            >>> mixture = modelzoo.load("moe-arid3a-foxm1-gata3")
            >>> larger = mixture.with_expert("MINE", modelzoo.load("deepbind-gata3"))
            >>> list(larger.experts)
            ['ARID3A', 'FOXM1', 'GATA3', 'MINE']
        """
        if name in self.experts:
            raise ValueError(f"name: expected a new one, got {name!r} of {list(self.experts)}")
        return self.from_experts({**dict(self._named_experts()), name: expert}, self.tasks)

    @property
    def trunk(self) -> nn.Module:
        """The shift-equivariant part: all experts' convolutions, (B, 4, L) -> (B, channels, L)."""
        return self.experts

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (B, 4, L) of any dtype -> (B, tasks)."""
        return self.mixture(self.embed(x))

    def embed(self, x: Tensor) -> Tensor:
        """Return the experts' embeddings side by side, (B, 4, L) -> (B, experts * E)."""
        maps = self.trunk(as_input(x, self.mixture.classifier.weight))
        experts = [expert for _, expert in self._named_experts()]
        parts = maps.split([expert.channels for expert in experts], dim=1)
        return torch.cat([e.embed_maps(part) for e, part in zip(experts, parts)], dim=1)

    def gate(self, x: Tensor) -> Tensor:
        """Return the weight of every expert for every sequence, (B, 4, L) -> (B, experts)."""
        return self.mixture.alpha(self.embed(x))

    def train(self, mode: bool = True) -> MixtureOfExperts:
        """Set the gate's mode; the experts stay in eval mode, their dropout off."""
        super().train(mode)
        self.experts.eval()
        return self

    def _named_experts(self) -> list[tuple[str, Expert]]:
        return list(self.experts.items())  # type: ignore[arg-type]


def _built(architecture: str = DeepBind.architecture, **config: Any) -> Expert:
    known = registered(Expert)
    if architecture not in known:
        raise ValueError(f"experts: expected one of {list(known)} each, got {architecture!r}")
    return known[architecture](**config)


def _described(expert: Expert) -> dict[str, Any]:
    return {"architecture": expert.architecture, **expert.config}
