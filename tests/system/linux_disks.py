"""Debian's kernel with its root on a disk: an ext4 image made on this computer, with busybox and one script in it."""
import re
import subprocess
from pathlib import Path

_HEAD = """\
#!/bin/busybox sh
/bin/busybox --install -s
export PATH=/bin:/sbin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
"""
# Everything is on the disk before the power goes; the file system is told to be whole.
CLEAN = ["sync", "mount -o remount,ro / && echo read-only", "poweroff -f"]


def tool(name: str, *words) -> str:
    """A program of e2fsprogs, which must end well; both of its outputs."""
    result = subprocess.run([f"/sbin/{name}", *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    assert result.returncode == 0, f"{name}: status {result.returncode}\n{result.stdout}"
    return result.stdout


def make(image: Path, size: str, files: dict[str, bytes], features: str = "") -> Path:
    """An ext4 image with these files. features as for mke2fs -O, on top of the usual ones."""
    tree = image.with_suffix(".tree")
    tree.mkdir()
    for name, data in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data)
        (tree / name).chmod(0o755)
    tool("mke2fs", "-q", "-t", "ext4", *(["-O", features] if features else []), "-E", "root_owner=0:0", "-d", tree, image, size)
    return image


def root(image: Path, debian: Path, lines: list[str], files: dict[str, bytes] | None = None, size: str = "64M") -> Path:
    """A root whose init runs these lines."""
    script = "".join(f"{line}\n" for line in [_HEAD, *lines]).encode()
    empty = {f"{folder}/.keep": b"" for folder in ("dev", "proc", "sys", "mnt", "root", "data", "usr/bin", "usr/sbin")}
    busybox = {"bin/busybox": (debian / "busybox").read_bytes(), "sbin/init": script}
    return make(image, size, {**empty, **busybox, **(files or {})})


def initrd(path: Path, debian: Path) -> Path:
    """The initramfs that finds the root."""
    from caisson import initramfs, modules

    initramfs.make(path, debian / "busybox", init=initramfs.DISK_INIT.encode(), files=modules.read(debian / "modules"))
    return path


def read(image: Path, name: str) -> bytes:
    """A file in the image."""
    return subprocess.run(["/sbin/debugfs", "-R", f"cat {name}", image], stdin=subprocess.DEVNULL, capture_output=True,
                          check=True).stdout


def assert_clean(image: Path) -> None:
    """e2fsck finds nothing, and the journal has nothing that would have to be done."""
    assert not re.search(r"needs_recovery", tool("dumpe2fs", "-h", image))
    tool("e2fsck", "-fn", image)
