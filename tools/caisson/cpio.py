"""Writing cpio archives in the "newc" form: bundles for the hypervisor and initramfs images."""
import stat
from typing import BinaryIO

_MAX = 0xFFFF_FFFF


class Writer:
    """Writes entries to a file opened for binary writing. The same entries give the same bytes."""

    def __init__(self, out: BinaryIO):
        self._out = out
        self._next_inode = 1

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        self._entry(name, stat.S_IFREG | mode, data)

    def directory(self, name: str, mode: int = 0o755) -> None:
        self._entry(name, stat.S_IFDIR | mode, links=2)

    def symlink(self, name: str, target: str) -> None:
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def character_device(self, name: str, major: int, minor: int, mode: int = 0o600) -> None:
        self._entry(name, stat.S_IFCHR | mode, device=(major, minor))

    def finish(self) -> None:
        """Write the closing entry. The archive is not valid without it."""
        self._write("TRAILER!!!", [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], b"")

    def _entry(self, name, mode, data=b"", links=1, device=(0, 0)):
        if not name or name.startswith("/") or "\0" in name:
            raise ValueError(f"not a name for an archive: {name!r}")
        if len(data) > _MAX:
            raise ValueError(f"{name}: files of 4 GiB and more do not fit in this format")
        inode, self._next_inode = self._next_inode, self._next_inode + 1
        # inode, mode, uid, gid, links, mtime, size, device of the file system (2), device itself (2)
        self._write(name, [inode, mode, 0, 0, links, 0, len(data), 0, 0, *device], data)

    def _write(self, name, fields, data):
        raw_name = name.encode() + b"\0"
        numbers = [*fields, len(raw_name), 0]
        header = b"070701" + b"".join(b"%08X" % number for number in numbers)
        self._out.write(header + raw_name + _padding(len(header) + len(raw_name)))
        self._out.write(data)
        self._out.write(_padding(len(data)))


def _padding(length: int) -> bytes:
    """Names and data end on a multiple of four."""
    return bytes(-length % 4)
