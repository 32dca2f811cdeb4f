"""A way to stop a training in the middle, as a kill would."""

from contextlib import contextmanager

import pytest

from modelzoo.training.validation import Validation


@pytest.fixture
def killed(monkeypatch):
    """Inside the block, the nth validation of a model never comes back."""

    @contextmanager
    def killed(nth, where=Validation, name="__call__"):
        calls, validate = [], getattr(where, name)

        def interrupted(self, model):
            calls.append(model)
            if len(calls) == nth:
                raise KeyboardInterrupt
            return validate(self, model)

        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr(where, name, interrupted)
            yield

    return killed


@pytest.fixture
def weights():
    """Gives the bytes of a trained model's weights."""
    return lambda folder: (folder / "model.safetensors").read_bytes()
