"""The models' classes, one file a paper."""

from torch import nn

from modelzoo.architectures.deepbind import DeepBind
from modelzoo.architectures.moe import MixtureOfExperts

ARCHITECTURES: dict[str, type[nn.Module]] = {
    "deepbind": DeepBind,
    "moe": MixtureOfExperts,
}
