"""The monitor's script of `./caisson run --script FILE`: what can be seen to be wrong before anything starts."""
import re
from dataclasses import dataclass

from caisson import images
from caisson.errors import Errors, UsageError

_LARGEST = 1 << 16
_LONGEST_LINE = 255  # SHELL_LINE_MAX of shell/shell.h, less its end
_MOST_WORDS = 16
_QUOTED = re.compile(rb"""[^"']*(?:"[^"]*"[^"']*|'[^']*'[^"']*)*""")
_WORD = re.compile(rb"""(?:"[^"]*"|'[^']*'|[^ "'])+""")


@dataclass
class Script:
    """Commands for the monitor, and the name of their file as the user typed it."""

    label: str
    text: bytes


def read(path: str | None, errors: Errors) -> Script | None:
    """The script of an option, None without one. What is wrong with it is added to the errors."""
    if path is None:
        return None
    try:
        text = images.read(path)
    except ValueError as error:
        errors.add(UsageError(f"--script {path}: {error}"))
        return None
    if len(text) > _LARGEST or b"\0" in text:
        errors.add(UsageError(f"--script {path}: this is not a script of at most {_LARGEST >> 10} KiB"))
        return None
    for number, line in enumerate(text.split(b"\n"), 1):
        wrong = _wrong_with(line.removesuffix(b"\r").replace(b"\t", b" "))
        if wrong:
            errors.add(UsageError(f"{path}:{number}: {wrong}"))
    return Script(path, text)


def _wrong_with(line: bytes) -> str | None:
    if line.lstrip(b" ").startswith(b"#"):
        return None
    if len(line) > _LONGEST_LINE:
        return f"the line has {len(line)} bytes; the monitor takes {_LONGEST_LINE}"
    if re.search(rb"[\x00-\x1f\x7f]", line):
        return "the line has a control character"
    if not _QUOTED.fullmatch(line):
        return "a quote is not closed"
    if len(_WORD.findall(line)) > _MOST_WORDS:
        return f"a line has at most {_MOST_WORDS} words"
    return None
