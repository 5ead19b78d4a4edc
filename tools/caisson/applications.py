"""Unikernel applications: the folders of apps/ that have a configuration of their own."""
import os
import re
from pathlib import Path

from caisson import paths
from caisson.errors import UsageError

MAX_ARGUMENTS = 16384  # bytes of the boot arguments that the application's may take


def names() -> list[str]:
    return sorted(file.parent.name for file in (paths.ROOT / "apps").glob("*/defconfig"))


def checked(name: str) -> str:
    """The name, if there is such an application. Raises UsageError."""
    if name not in names():
        raise UsageError(f"{name}: no such application (there are: {', '.join(names())})")
    return name


def listing() -> str:
    """A line for each application."""
    described = [(name, description(paths.ROOT / "apps" / name)) for name in names()]
    width = max(len(name) for name, _ in described)
    return "".join(f"{name:{width}}  {text}\n" for name, text in described)


def description(folder: Path) -> str:
    """The first sentence of the comment at the head of main.c."""
    try:
        source = (folder / "main.c").read_text()
    except OSError:
        return ""
    comment = re.match(r"\s*/\*(.*?)\*/", source, re.DOTALL)
    if not comment:
        return ""
    text = " ".join(line.strip(" \t*") for line in comment[1].splitlines()).strip()
    return re.match(r".*?[.](?= |$)|.*", text)[0]


def boot_words(arguments: list[str]) -> list[str]:
    """The application's arguments as words of the boot arguments, after `--` (docs/host.md)."""
    words = [_encoded(argument) for argument in arguments]
    size = len(" ".join(words))
    if size > MAX_ARGUMENTS:
        raise UsageError(f"the application's arguments have {size} bytes together (at most {MAX_ARGUMENTS}; a byte "
                         "that is not an ordinary character counts three times)")
    return ["--", *words] if words else []


def _encoded(argument: str) -> str:
    """Spaces, control characters, % and what is not ASCII as %XX; the empty argument as %00."""
    data = os.fsencode(argument) or b"\0"
    return "".join(chr(byte) if 0x20 < byte < 0x7F and byte != ord("%") else f"%{byte:02x}" for byte in data)
