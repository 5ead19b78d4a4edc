"""Programs for the monolith: what `./caisson exec` packs for it."""
import os
import stat
from pathlib import Path
from typing import BinaryIO

from caisson import cpio
from caisson.errors import UsageError

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/", "HOME": "/", "TERM": "linux"}
_FOLDERS = ("dev", "proc", "tmp")


def check(program: str, root: str | None) -> None:
    """Raises UsageError, which quotes what was typed."""
    if root is not None and not os.path.isdir(root):
        raise UsageError(f"--root {root}: " + ("not a folder" if os.path.exists(root) else "no such folder"))
    try:
        if not stat.S_ISREG(os.stat(program).st_mode):
            raise UsageError(f"{program}: not a program")
        if os.stat(program).st_size == 0:
            raise UsageError(f"{program}: the file is empty")
        with open(program, "rb"):
            pass
    except OSError as error:
        raise UsageError(f"{program}: {error.strerror}") from None


def place(program: str, root: str | None) -> str:
    """Where the program is in its root: where it is on this computer if that is inside, else at its own name."""
    if root is not None:
        folder, name = os.path.split(os.path.abspath(program))  # the program itself may be a link
        inside = os.path.relpath(os.path.join(os.path.realpath(folder), name), os.path.realpath(root))
        if not inside.startswith(".."):
            return "/" + inside
    return "/" + os.path.basename(program)


def pack(out: BinaryIO, program: str, arguments: list[str], root: str | None, terminal: bool) -> None:
    """Write the archive: the root, the program, and what says how to start it (docs/processes.md)."""
    writer = cpio.Writer(out)
    at = place(program, root)
    if root is not None:
        _pack_folder(writer, Path(root))
    for name in _FOLDERS:
        if root is None or not (Path(root) / name).is_dir():
            writer.directory(name)
    if root is None or not (Path(root) / at[1:]).exists():
        writer.file(at[1:], Path(program).read_bytes(), 0o755)
    writer.directory(".caisson")
    writer.file(".caisson/argv", b"".join(os.fsencode(word) + b"\0" for word in (at, *arguments)))
    writer.file(".caisson/env", b"".join(f"{name}={value}".encode() + b"\0" for name, value in _environment().items()))
    if terminal:
        writer.file(".caisson/terminal", b"")
    writer.finish()


def _environment() -> dict[str, str]:
    return {**ENVIRONMENT, **({"TERM": os.environ["TERM"]} if os.environ.get("TERM") else {})}


def _pack_folder(writer: cpio.Writer, root: Path) -> None:
    for folder, folders, files in os.walk(root):
        for name in sorted(folders + files):
            path = Path(folder) / name
            inside, mode = str(path.relative_to(root)), path.lstat().st_mode
            if stat.S_ISLNK(mode):
                writer.symlink(inside, os.readlink(path))
            elif stat.S_ISDIR(mode):
                writer.directory(inside, stat.S_IMODE(mode))
            elif stat.S_ISREG(mode):
                writer.file(inside, path.read_bytes(), stat.S_IMODE(mode))
