"""The models' classes, one file a paper."""

from torch import nn

from modelzoo.architectures.argminn import ARGMINN, PlainCNN
from modelzoo.architectures.baselines import BASELINES
from modelzoo.architectures.danq import DanQExpert
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.architectures.dnabert import DNABERT
from modelzoo.architectures.explainn import ExplaiNN, ModelUnits
from modelzoo.architectures.moe import MixtureOfExperts
from modelzoo.architectures.tower import Tower

ARCHITECTURES: dict[str, type[nn.Module]] = {
    "deepbind": DeepBind,
    "tower": Tower,
    "danq-expert": DanQExpert,
    "moe": MixtureOfExperts,
    "explainn": ExplaiNN,
    "explainn-models": ModelUnits,
    "argminn": ARGMINN,
    "plain-cnn": PlainCNN,
    "dnabert": DNABERT,
    **BASELINES,
}
