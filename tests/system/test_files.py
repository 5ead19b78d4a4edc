"""Paths, files and locks, call by call: tests/linux/files.c and locks.c say the same on Debian's kernel and on the monolith (P5)."""
import functools

import pytest

import linux_bare
import linux_programs
from machines import caisson


PROGRAMS = {"files": 280, "locks": 25}  # and how many lines each says at least


def lines(text):
    return linux_bare.between(text, "--- ", "--- end")


@pytest.fixture(scope="module")
def on_linux(debian, tmp_path_factory):
    """The words that each prints as process 1 of Debian's kernel on the bare machine."""
    def run(name):
        with open(linux_programs.build(name), "rb") as program:
            files = {"init": program.read(), "halt": b""}
        return lines(linux_bare.boot(tmp_path_factory.mktemp("linux"), files, "loglevel=0"))

    return functools.cache(run)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("words", [[], ["--harts", "2"], ["--debug", "--log-level", "error"]])
def test_P5_files_as_on_linux(on_linux, words, name):
    result = caisson("exec", *words, linux_programs.build(name))
    assert len(on_linux(name)) > PROGRAMS[name]
    assert lines(result.text) == on_linux(name)
    assert result.status == 0
