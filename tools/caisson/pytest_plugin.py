"""Loaded into pytest by `./caisson test`: choosing tests by behaviour id, and tests that take long.

    @pytest.mark.long      runs only with --long
"""
import pytest

from caisson.selection import matches


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="run the tests that take long too")
    parser.addoption("--named", action="append", default=[], metavar="NAME",
                     help="a behaviour's id or part of a test's name; may be repeated")


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes long; runs only with --long")


def pytest_collection_modifyitems(config, items):
    names = config.getoption("--named")
    if names:
        chosen = [item for item in items if any(matches(name, item.nodeid) for name in names)]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen
    if not config.getoption("--long"):
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(pytest.mark.skip(reason="takes long; ./caisson test --long runs it"))
