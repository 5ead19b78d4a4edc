"""The programs of tests/linux, built when a test asks for one, with either C library of Debian's."""
import fcntl
import subprocess
from pathlib import Path

from caisson import apt, packages, paths, process, store
from caisson.errors import CannotStart
from machines import ROOT

LIBRARIES = ("glibc", "musl")
_TOOL = "riscv64-linux-gnu-"
_FLAGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-fno-pie"]


def build(name: str, library: str = "glibc") -> str:
    """The path of the static program made from tests/linux/NAME.c."""
    source = ROOT / "tests" / "linux" / f"{name}.c"
    folder = ROOT / "build" / "linux" / library
    target = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        changed = max(file.stat().st_mtime for file in (source, *source.parent.glob("*.h")))
        if not target.exists() or target.stat().st_mtime < changed:
            (_with_glibc if library == "glibc" else _with_musl)(source, target)
    return str(target)


def _with_glibc(source: Path, target: Path) -> None:
    _call("gcc", *_FLAGS, "-static", "-pthread", source, "-o", target)


def _with_musl(source: Path, target: Path) -> None:
    musl = _musl()
    internal = _answer("gcc", "-print-file-name=include")
    compiled = target.with_suffix(".o")
    _call("gcc", *_FLAGS, "-nostdinc", "-isystem", musl / "include", "-isystem", internal, "-c", source, "-o", compiled)
    _call("ld", "-static", musl / "crt1.o", musl / "crti.o", compiled, "--start-group", musl / "libc.a",
          _answer("gcc", "-print-libgcc-file-name"), "--end-group", musl / "crtn.o", "-o", target)


def _musl() -> Path:
    """The folder with Debian's musl for riscv64; fetched if it is not there."""
    folder = paths.cache() / "musl"
    if folder.exists():
        return folder
    with store.lock("musl"):
        if not folder.exists():
            packages.ensure("fetch")
            _fetch_musl(folder)
    return folder


def _fetch_musl(folder: Path) -> None:
    area = apt.Area("guests", apt.guest_sources("deb"), foreign=True)
    with store.lock("fetch"):
        if not area.updated():
            area.update()
    with store.workplace("musl") as work:
        area.get(["download", "musl-dev"], "Debian's musl could not be fetched", cwd=work)
        (package,) = work.glob("musl-dev_*.deb")
        if process.run(["dpkg-deb", "--extract", str(package), str(work / "all")]).returncode:
            raise CannotStart(f"{package.name} could not be unpacked")
        ready = work / "musl"
        ready.mkdir()
        for name in ("crt1.o", "crti.o", "crtn.o", "libc.a"):
            # Debian 12's linker does not understand the newer compiler's debug information.
            _call("objcopy", "--strip-debug", work / "all/usr/lib/riscv64-linux-musl" / name, ready / name)
        (work / "all/usr/include/riscv64-linux-musl").rename(ready / "include")
        store.move(ready, folder)


def _call(tool: str, *words) -> None:
    subprocess.run([_TOOL + tool, *map(str, words)], check=True)


def _answer(*words) -> str:
    return subprocess.run([_TOOL + words[0], *words[1:]], check=True, capture_output=True, text=True).stdout.strip()
