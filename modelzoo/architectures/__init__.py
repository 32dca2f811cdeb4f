"""The models' classes, one file a paper."""

from torch import nn

from modelzoo.architectures.argminn import ARGMINN, PlainCNN
from modelzoo.architectures.baseline import Baseline
from modelzoo.architectures.cnn1 import CNN1, CNN1Exp
from modelzoo.architectures.danq import DanQ, DanQExpert
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.architectures.deepcnn import DeepCNN
from modelzoo.architectures.deepstarr import DeepSTARR
from modelzoo.architectures.dnabert import DNABERT
from modelzoo.architectures.explainn import ExplaiNN, ModelUnits
from modelzoo.architectures.moe import MixtureOfExperts
from modelzoo.architectures.tower import Tower

BASELINES: dict[str, type[Baseline]] = {
    model.architecture: model for model in (CNN1, CNN1Exp, DeepCNN, DanQ, DeepSTARR)
}
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
