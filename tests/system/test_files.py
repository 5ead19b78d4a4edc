"""Paths and files, call by call: tests/linux/files.c says the same on Debian's kernel and on the monolith (P5)."""
import pytest

import linux_bare
import linux_programs
from machines import caisson


def lines(text):
    return linux_bare.between(text, "--- opening", "--- end")


@pytest.fixture(scope="module")
def on_linux(debian, tmp_path_factory):
    """The words that it prints as process 1 of Debian's kernel on the bare machine."""
    with open(linux_programs.build("files"), "rb") as program:
        files = {"init": program.read(), "halt": b""}
    return lines(linux_bare.boot(tmp_path_factory.mktemp("linux"), files, "loglevel=0"))


@pytest.mark.parametrize("words", [[], ["--harts", "2"], ["--debug", "--log-level", "error"]])
def test_P5_files_as_on_linux(on_linux, words):
    result = caisson("exec", *words, linux_programs.build("files"))
    assert len(on_linux) > 300
    assert lines(result.text) == on_linux
    assert result.status == 0
