"""Disk images of the machine: FILE[,ro] as it is typed, checked, and QEMU's words for it."""
import os
import stat
from dataclasses import dataclass

from caisson.errors import UsageError

MAX_DISKS = 8  # QEMU's virt machine has so many places for virtio devices


@dataclass(frozen=True)
class Disk:
    """An image, by its absolute path."""

    path: str
    read_only: bool = False


def parse_all(texts: list[str]) -> list[Disk]:
    """The values of --disk. Raises UsageError, which quotes the value."""
    if len(texts) > MAX_DISKS:
        raise UsageError(f"--disk {texts[MAX_DISKS]}: a machine has at most {MAX_DISKS} disks")
    disks = [parse(text) for text in texts]
    for number, disk in enumerate(disks):
        for other in disks[:number]:
            if os.path.samefile(disk.path, other.path) and not (disk.read_only and other.read_only):
                raise UsageError(f"--disk {texts[number]}: two disks have this image, and not both are read-only")
    return disks


def parse(text: str) -> Disk:
    path, comma, flag = text.rpartition(",")
    read_only = bool(comma) and flag == "ro"
    path = path if read_only else text
    try:
        _check(path, read_only)
    except ValueError as error:
        raise UsageError(f"--disk {text}: {error}") from None
    except OSError as error:
        raise UsageError(f"--disk {text}: {error.strerror}") from None
    return Disk(os.path.abspath(path), read_only)


def _check(path: str, read_only: bool) -> None:
    if not path:
        raise ValueError("the file's name is missing")
    if not stat.S_ISREG(os.stat(path).st_mode) and not stat.S_ISBLK(os.stat(path).st_mode):
        raise ValueError("not a file with a disk image")
    try:
        image = os.open(path, os.O_RDONLY if read_only else os.O_RDWR)
    except PermissionError:
        raise ValueError("not readable" if not os.access(path, os.R_OK)
                         else f"not writable ({path},ro makes it a read-only disk)") from None
    try:
        if os.lseek(image, 0, os.SEEK_END) == 0:
            raise ValueError("the file is empty: a disk has at least one sector")
    finally:
        os.close(image)


def qemu_words(disks: list[Disk]) -> list[str]:
    """A modern virtio device for each disk, in this order. In QEMU's options a comma in a name is doubled."""
    words = ["-global", "virtio-mmio.force-legacy=false"] if disks else []
    for number, disk in enumerate(disks):
        path = disk.path.replace(",", ",,")
        words += ["-drive", f"if=none,id=disk{number},format=raw,file.driver=file,file.filename={path}"
                            f"{',read-only=on' if disk.read_only else ''}",
                  "-device", f"virtio-blk-device,drive=disk{number}"]
    return words
