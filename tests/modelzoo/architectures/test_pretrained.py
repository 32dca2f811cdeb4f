import ast
from pathlib import Path

import pytest

from modelzoo import architectures
from modelzoo.architectures import ARCHITECTURES, register, registered
from modelzoo.architectures.baseline import Baseline
from modelzoo.architectures.deepbind import DeepBind
from modelzoo.architectures.expert import Expert


def test_every_class_that_names_an_architecture_is_registered_under_that_name():
    named = {}
    for file in Path(architectures.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            match node:
                case ast.ClassDef(name=cls):
                    for line in node.body:
                        match line:
                            case ast.Assign(
                                targets=[ast.Name("architecture")], value=ast.Constant(value)
                            ):
                                named[value] = cls
    assert named == {name: cls.__name__ for name, cls in ARCHITECTURES.items()}


def test_kinds_are_told_apart_by_their_base_class():
    assert set(registered(Expert)) == {"deepbind", "tower", "danq-expert"}
    assert set(registered(Baseline)) == {"cnn1", "cnn1exp", "danq", "deepcnn", "deepstarr"}


def test_a_name_is_given_once():
    with pytest.raises(ValueError, match="architecture: expected a new name, got 'deepbind'"):

        @register
        class Other(Expert):
            architecture = "deepbind"

    assert ARCHITECTURES["deepbind"] is DeepBind
