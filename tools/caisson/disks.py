"""Disk images of the machine: checked, and QEMU's words for them. `./caisson app --disk` names them by FILE[,ro]."""
import fcntl
import os
import stat
from dataclasses import dataclass

from caisson.errors import UsageError
from caisson.values import MIB, round_up

SECTOR = 512
MAX_DISKS = 8  # QEMU's virt machine has so many places for virtio devices


_FORMATS = {b"QFI\xfb": "qcow2", b"KDMV": "VMDK", b"vhdx": "VHDX"}


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
    for text, disk in zip(texts, disks):
        try:
            lock(disk.path, not disk.read_only)
        except ValueError as error:
            raise UsageError(f"--disk {text}: {error}") from None
    return disks


def parse(text: str) -> Disk:
    path, comma, flag = text.rpartition(",")
    read_only = bool(comma) and flag == "ro"
    path = path if read_only else text
    try:
        check(path, writes=not read_only)
    except ValueError as error:
        raise UsageError(f"--disk {text}: {error}") from None
    return Disk(os.path.abspath(path), read_only)


def size_of(path: str) -> int:
    """Of a file or a block device, in bytes."""
    image = os.open(path, os.O_RDONLY)
    try:
        return os.lseek(image, 0, os.SEEK_END)
    finally:
        os.close(image)


def store_size(size: int) -> int:
    """Bytes of a file for changes to an image of so many (drivers/block/overlay_store.c)."""
    in_map = (size // SECTOR // 8 + 1) // SECTOR + 1
    return MIB + round_up(in_map * SECTOR, MIB) + size


def check(path: str, writes: bool) -> None:
    """Can a disk have this image? Raises ValueError saying why not."""
    if not path:
        raise ValueError("the file's name is missing")
    try:
        _check_file(path, writes)
    except PermissionError:
        raise ValueError("not readable" if not os.access(path, os.R_OK)
                         else "not writable, and the disk is not read-only") from None
    except OSError as error:
        raise ValueError(error.strerror) from None


def _check_file(path: str, writes: bool) -> None:
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISBLK(mode):
        raise ValueError("not a file with a disk image")
    image = os.open(path, os.O_RDWR if writes else os.O_RDONLY)
    try:
        start, size = os.pread(image, 4, 0), os.lseek(image, 0, os.SEEK_END)
    finally:
        os.close(image)
    if size == 0:
        raise ValueError("the file is empty: a disk has at least one sector")
    if start in _FORMATS:
        raise ValueError(f"a {_FORMATS[start]} image; a disk is the plain bytes (qemu-img convert -O raw)")
    if size % SECTOR:
        raise ValueError(f"its {size} bytes are no whole number of sectors of {SECTOR} (truncate -s %{SECTOR} adds zeroes)")


_locks: list[int] = []  # as long as this process lives


def lock(path: str, writes: bool) -> None:
    """Keep others of us from writing an image that we use, or from using one that we write. Raises ValueError."""
    image = os.open(path, os.O_RDWR if writes else os.O_RDONLY)
    try:
        fcntl.flock(image, (fcntl.LOCK_EX if writes else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(image)
        raise ValueError("another ./caisson has this image open" if writes else
                         "another ./caisson writes to this image") from None
    except OSError:  # not every file system has locks; QEMU tries in its own way
        pass
    _locks.append(image)


def qemu_words(disks: list[Disk]) -> list[str]:
    """A modern virtio device for each disk, in this order. In QEMU's options a comma in a name is doubled.

    An error is reported, always: by itself QEMU stops the whole machine when the host's disk is full.
    """
    words = ["-global", "virtio-mmio.force-legacy=false"] if disks else []
    for number, disk in enumerate(disks):
        path = disk.path.replace(",", ",,")
        words += ["-drive", f"if=none,id=disk{number},format=raw,file.driver=file,file.filename={path}"
                            f",werror=report,rerror=report{',read-only=on' if disk.read_only else ''}",
                  "-device", f"virtio-blk-device,drive=disk{number}"]
    return words
