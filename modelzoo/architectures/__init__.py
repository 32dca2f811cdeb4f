"""The models' classes, one file a paper; importing this package registers all of them."""

from importlib import import_module
from pkgutil import iter_modules

from modelzoo.architectures.pretrained import ARCHITECTURES, register, registered

__all__ = ["ARCHITECTURES", "register", "registered"]

for _file in iter_modules(__path__, f"{__name__}."):
    import_module(_file.name)
