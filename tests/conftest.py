"""How the tests are shared out between processes."""

import pytest


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups
def pytest_collection_modifyitems(items):
    """Give each file to one process, so that fixtures of a module are made once.

    Tests that numba compiles the same functions for are one group, wherever they are. Files with
    long tests come first, so that the short ones fill what time is left at the end.
    """
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.relative_to(item.config.rootpath)))
    long = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in long)
