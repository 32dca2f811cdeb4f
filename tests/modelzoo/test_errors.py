import pytest

from modelzoo.errors import WorkError, working


def test_a_value_error_of_work_is_no_wrong_argument():
    with pytest.raises(WorkError, match=r"^too few$") as raised, working():
        raise ValueError("too few")
    assert isinstance(raised.value.__cause__, ValueError)
    assert not isinstance(raised.value, ValueError)


@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt()])
def test_other_errors_stay_what_they_are(error):
    with pytest.raises(type(error)) as raised, working():
        raise error
    assert raised.value is error
