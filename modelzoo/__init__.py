"""Trained models, and what runs models over sequences: predictions, attributions, training."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from modelzoo.zoo.catalog import info, list_models

if TYPE_CHECKING:
    from modelzoo.apply.attribute import attribute
    from modelzoo.apply.predict import predict
    from modelzoo.apply.scan import scan
    from modelzoo.apply.variants import variants
    from modelzoo.sequences import one_hot
    from modelzoo.zoo.adapters import wrap
    from modelzoo.zoo.hub import load

__all__ = [
    "attribute",
    "info",
    "list_models",
    "load",
    "one_hot",
    "predict",
    "scan",
    "variants",
    "wrap",
]

# Torch and the Hub's client take seconds to import, and the command line's help needs neither.
_LAZY = {
    "attribute": "modelzoo.apply.attribute",
    "load": "modelzoo.zoo.hub",
    "one_hot": "modelzoo.sequences",
    "predict": "modelzoo.apply.predict",
    "scan": "modelzoo.apply.scan",
    "variants": "modelzoo.apply.variants",
    "wrap": "modelzoo.zoo.adapters",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_LAZY[name]), name)
    globals()[name] = value
    return value
