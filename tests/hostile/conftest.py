"""What the tests of hostile files share: the loopback Hub and the catalog of one tiny model."""

from tests.modelzoo.conftest import hub, tiny

__all__ = ["hub", "tiny"]
