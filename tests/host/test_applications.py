"""./caisson app: the list of applications, and how their arguments are carried."""
import pytest
from caisson import applications
from caisson.errors import UsageError


def decoded(word: str) -> bytes:
    """What core/dt/args.c makes of a word."""
    head, *rest = word.encode().split(b"%")
    return head + b"".join(bytes([int(piece[:2], 16)]) + piece[2:] for piece in rest)


def test_arguments_survive():
    arguments = ["one", "two words", "%", "100%25", "\t\n\x7f", "ä", "--", "framed", "loglevel=trace", "'\"\\$(x)"]
    separator, *words = applications.boot_words(arguments)
    assert separator == "--"
    assert not any(byte <= 0x20 or byte >= 0x7F for word in words for byte in word.encode())
    assert [decoded(word).decode() for word in words] == arguments


def test_bytes_that_are_no_text_survive():
    assert decoded(applications.boot_words([b"\xff\x80x".decode(errors="surrogateescape")])[1]) == b"\xff\x80x"


def test_empty_argument():
    assert applications.boot_words([""]) == ["--", "%00"]
    assert applications.boot_words([]) == []


def test_arguments_have_a_limit():
    assert applications.boot_words(["x" * applications.MAX_ARGUMENTS])
    for arguments in (["x" * (applications.MAX_ARGUMENTS + 1)], [" " * 6000], ["xx"] * 6000):
        with pytest.raises(UsageError, match="at most 16384"):
            applications.boot_words(arguments)


@pytest.mark.parametrize("source, text", [
    ("/* One line. */\n", "One line."),
    ("/*\n * What it is: a first sentence that goes\n * on. A second.\n */\n", "What it is: a first sentence that goes on."),
    ("/* No end */", "No end"),
    ("#include <x.h>\n/* later */", ""),
    ("", ""),
])
def test_description(tmp_path, source, text):
    (tmp_path / "main.c").write_text(source)
    assert applications.description(tmp_path) == text


def test_listing(tool):
    result = tool.run("app")
    assert result.returncode == 0 and not result.stderr
    assert b"hello" in result.stdout
    assert not tool.started()


def test_unknown_application(tool):
    result = tool.run("app", "nothing")
    assert result.returncode == 2
    assert result.stderr.startswith(b"caisson: nothing: no such application (there are: ")
