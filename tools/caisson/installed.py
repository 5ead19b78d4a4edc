"""An installed Debian for riscv64 on a disk image: `./caisson image debian` and the names guest:installed/...

This computer needs neither root's rights nor a way to run riscv64 programs. It
checks the packages' signatures (apt), unpacks them into a file system image
(firststage.py, under fakeroot), and has them configured in a VM of ours
(secondstage.py). What is finished is kept in the cache.
"""
import collections
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from caisson import apt, fetch, firststage, initramfs, modules, packages, paths, process, secondstage, store
from caisson.errors import CannotStart, UsageError
from caisson.values import GIB, parse_size, show_size

BASE = ("systemd", "systemd-sysv", "systemd-resolved", "udev", "dbus", "login", "passwd", "util-linux", "e2fsprogs",
        "linux-image-riscv64", "kmod", "apt", "debian-archive-keyring", "netbase", "iproute2", "iputils-ping", "wget",
        "openssh-server", "openssh-client", "iperf3", "fio", "procps", "less", "nano")
_NEEDED_BY_DPKG = ("?essential", "?priority(required)")
SIZE = 2 * GIB
KERNEL, INITRAMFS, DISK = "vmlinux", "initramfs", "disk.img"
_RECORD = "packages.json"
_MEMORY, _CPUS = "1G", "2"
_LONGEST = 3600  # seconds that the second stage may take; on a small computer it is a fifth of that
_TAIL_LINES = 15


@dataclass(frozen=True)
class Recipe:
    """What is installed. Another recipe is another image."""

    more: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        parts = [firststage.REVISION, BASE, self.more, SIZE, secondstage.FILES, initramfs.DISK_INIT]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    @property
    def folder(self) -> Path:
        """Where it is when it is finished."""
        name = "installed" + "".join(f"+{package}" for package in self.more)
        return paths.cache() / "guests" / name


def recipe(more: str | None) -> Recipe:
    """The value of --packages. Raises UsageError."""
    names = [name.strip() for name in (more or "").split(",")]
    for name in filter(None, names):
        if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", name):
            raise UsageError(f"--packages {more}: {name!r} is not a package's name")
    return Recipe(tuple(sorted(set(filter(None, names)) - set(BASE))))


def folder(chosen: Recipe = Recipe(), update: bool = False) -> Path:
    """The folder with the disk image, kernel and initramfs, made if it is not there. Raises CannotStart."""
    if not update and _is_there(chosen):
        return chosen.folder
    with store.lock("install"):
        if update or not _is_there(chosen):
            packages.ensure("image")
            _make(chosen)
    return chosen.folder


def copy(chosen: Recipe, target: Path, size: str | None, update: bool) -> None:
    """A disk image of one's own. Raises UsageError, CannotStart."""
    wanted = SIZE if size is None else _size(size)
    if target.exists():
        raise UsageError(f"{target}: is there already, and might be somebody's disk")
    if not target.parent.is_dir():
        raise UsageError(f"{target}: there is no such folder")
    made = folder(chosen, update)
    scratch = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        _run(["cp", "--sparse=always", "--reflink=auto", made / DISK, scratch], "the image could not be copied")
        scratch.chmod(0o666 & ~_umask())
        if wanted > SIZE:
            os.truncate(scratch, wanted)
            _run(["/sbin/resize2fs", scratch], "the file system could not be enlarged")
        os.link(scratch, target)  # unlike a rename, this never replaces a file
    except FileExistsError:
        raise UsageError(f"{target}: is there already, and might be somebody's disk") from None
    finally:
        scratch.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _size(text: str) -> int:
    try:
        size = parse_size(text)
    except ValueError as error:
        raise UsageError(f"--size {text}: {error}") from None
    if size < SIZE or size % 4096:
        raise UsageError(f"--size {text}: at least {show_size(SIZE)}, in multiples of 4K")
    return size


def _is_there(chosen: Recipe) -> bool:
    return _record(chosen).get("recipe") == chosen.key


def _record(chosen: Recipe) -> dict:
    """What the finished image says of itself; nothing where there is none."""
    try:
        return dict(json.loads((chosen.folder / _RECORD).read_text()))
    except (OSError, ValueError, TypeError):
        return {}


def _make(chosen: Recipe) -> None:
    busybox = fetch.debian() / "busybox"
    area = apt.Area("installed", apt.guest_sources("deb"), foreign=True)
    _say("fetching Debian's package lists for riscv64")
    area.update()
    names = [*_NEEDED_BY_DPKG, *BASE, *chosen.more]
    debs = area.resolve(names)
    record = {"recipe": chosen.key, "packages": sorted(deb.stem for deb in debs)}
    if record == _record(chosen):
        _say("the cached image has the newest packages")
        return
    _say(f"an installed Debian is made of {len(debs)} packages, which takes some minutes, once")
    area.download(names, "the packages could not be fetched")
    with store.workplace("install") as work:
        ready = work / "installed"
        ready.mkdir()
        _first_stage(debs, work, ready / DISK)
        _kernel_of(work / "root", busybox, ready)
        shutil.rmtree(work / "root")
        _second_stage(ready, len(debs))
        _check(ready / DISK)
        (ready / DISK).chmod(0o444)  # others' disks are copies of it, or overlays
        (ready / _RECORD).write_text(json.dumps(record, indent=1) + "\n")
        store.move(ready, chosen.folder)
    area.forget()


def _first_stage(debs: list[Path], work: Path, image: Path) -> None:
    archives, extra = work / "archives", work / "extra"
    archives.mkdir()
    for deb in debs:
        (archives / deb.name).symlink_to(deb)
    for name, text in secondstage.FILES.items():
        file = extra / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755 if name in secondstage.EXECUTABLE else 0o644)
    for path in [extra, *extra.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
    command = ["fakeroot", sys.executable, firststage.__file__, archives, extra, work, image, str(SIZE >> 10) + "k"]
    progress = Progress(r"unpacking (\d+ of \d+: .*)", "unpacking {}")
    if _watch([str(word) for word in command], progress):
        raise CannotStart("the packages could not be unpacked:\n" + progress.tail())


def _kernel_of(root: Path, busybox: Path, ready: Path) -> None:
    """Kernel and initramfs for the VM's keys: this image's own kernel, with its modules."""
    kernels = list(root.glob("boot/vmlinux-*"))
    if len(kernels) != 1:
        raise CannotStart("the packages have no kernel, or several")
    shutil.copyfile(kernels[0], ready / KERNEL)
    modules.gather(root / "usr/lib/modules", ready / "modules")
    initramfs.make(ready / INITRAMFS, busybox, init=initramfs.DISK_INIT.encode(), files=modules.read(ready / "modules"))
    shutil.rmtree(ready / "modules")


def _second_stage(ready: Path, count: int) -> None:
    progress = Progress(r"Setting up ([^ ]*)", "configuring {} in a VM", count)
    command = [paths.ROOT / "caisson", "run", "--batch", "--quiet", "--kernel", ready / KERNEL, "--initrd", ready / INITRAMFS,
               "--append", f"console=ttyS0 quiet panic=1 rw root=/dev/vda init=/{secondstage.SCRIPT}",
               "--memory", _MEMORY, "--cpus", _CPUS, "--harts", _CPUS, "--disk", ready / DISK]
    status = _watch([str(word) for word in command], progress)
    if progress.failure or status or not progress.done:
        raise CannotStart((progress.failure or f"the VM ended with status {status} before Debian was configured")
                          + "; the last lines:\n" + progress.tail())


def _check(image: Path) -> None:
    _run(["/sbin/e2fsck", "-fn", image], "the finished file system has errors")


class Progress:
    """Shows which step is being done and keeps the last lines for a failure's message."""

    def __init__(self, pattern: str, message: str, count: int = 0):
        self._pattern, self._message, self._count = pattern, message, count
        self._seen = 0
        self._lines: collections.deque[str] = collections.deque(maxlen=_TAIL_LINES)
        self.done = False
        self.failure = ""

    def line(self, text: str) -> None:
        self._lines.append(text)
        if text.startswith(secondstage.FAILED):
            self.failure = text.removeprefix("caisson: ")
        self.done = self.done or text.startswith(secondstage.DONE)
        found = re.match(self._pattern, text)
        if found:
            self._seen += 1
            self._show(found[1])

    def tail(self) -> str:
        return "\n".join(self._lines)

    def _show(self, step: str) -> None:
        numbered = f"{self._seen} of {self._count}: {step}" if self._count else step
        message = "caisson: " + self._message.format(numbered)
        if sys.stderr.isatty():
            print(f"\r\x1b[K{message}", end="", file=sys.stderr, flush=True)
        elif self._seen % 50 == 1:
            print(message, file=sys.stderr, flush=True)

    def finish(self) -> None:
        if self._seen and sys.stderr.isatty():
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _watch(command: list[str], progress: Progress) -> int:
    """Run a program and hand on its lines. It is ended when it takes far too long. Returns its status."""
    child = process.spawn(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace")
    guard = threading.Timer(_LONGEST, child.kill)
    guard.start()
    try:
        for line in child.stdout:
            progress.line(line.rstrip("\r\n"))
        return child.wait()
    except BaseException:
        _end(child)
        raise
    finally:
        guard.cancel()
        progress.finish()


def _end(child: subprocess.Popen) -> None:
    """As with Ctrl-C, for fakeroot then ends its helper; what does not listen is killed."""
    try:
        os.killpg(child.pid, signal.SIGINT)
        child.wait(timeout=10)
    except (ProcessLookupError, subprocess.TimeoutExpired):
        pass
    process.kill(child)


def _run(command: list, failure: str) -> None:
    result = process.run([str(word) for word in command], stdout=-1, stderr=-1)
    if result.returncode:
        said = (result.stderr + result.stdout).decode(errors="replace").strip()
        raise CannotStart(f"{failure}: {said}")


def _say(message: str) -> None:
    print(f"caisson: {message}", file=sys.stderr, flush=True)
