"""Fetching the sources of libraries, and Debian's riscv64 kernel and busybox, signatures checked by apt."""
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

from caisson import apt, initramfs, modules, packages, paths, process, store
from caisson.errors import CannotStart

_KERNEL, _BUSYBOX = "linux-image-riscv64", "busybox-static"
_RECORD, _MODULES = "versions.json", "modules"


@dataclass(frozen=True)
class Library:
    """A library of which Debian has the sources: one folder of a source package."""

    name: str
    package: str
    sha256: str      # of the package's tarball
    folder: str      # in it
    header: str      # a file that is there when all is

    @property
    def target(self) -> Path:
        """Where the Makefile looks for it."""
        return paths.cache() / "src" / self.name

    def is_there(self) -> bool:
        return (self.target / self.header).exists()


LIBRARIES = (
    Library("libfdt", "device-tree-compiler", "92d8ca769805ae1f176204230438fe52808f4e1c7944053c9eec0e649b237539",
            "libfdt", "libfdt.h"),
    Library("fatfs", "micropython", "7b25be99a502f070b2de81dafc08da7051d992325d6e67daa9045a918fffdbea",
            "lib/oofatfs", "ff.h"),
)


def libraries() -> None:
    """Make sure that the libraries' sources are there."""
    if all(library.is_there() for library in LIBRARIES):
        return
    with store.lock("fetch"):
        missing = [library for library in LIBRARIES if not library.is_there()]
        if not missing:
            return
        packages.ensure("fetch")
        area = apt.Area("sources", apt.guest_sources("deb-src"), foreign=True)
        area.update()
        for library in missing:
            _fetch_library(area, library)


def _fetch_library(area: apt.Area, library: Library) -> None:
    what = f"{library.name}'s sources"
    _say(f"fetching {what}")
    with store.workplace("fetch") as work:
        area.get(["source", "--download-only", "--tar-only", library.package], f"{what} could not be fetched", cwd=work)
        tarball = _only(work.glob(f"{library.package}_*.orig.tar.*"), what)
        if hashlib.sha256(tarball.read_bytes()).hexdigest() != library.sha256:
            raise CannotStart(f"{tarball.name} is not the version of {library.name} that Caisson was tested with")
        _unpack(tarball, library.folder, work / library.name)
        store.move(work / library.name, library.target)


def _unpack(tarball: Path, folder: str, target: Path) -> None:
    """The files of one folder of the tarball, whose own top folder has the version in its name."""
    target.mkdir()
    with tarfile.open(tarball) as archive:
        for member in archive:
            path, name = os.path.split(member.name)
            if member.isreg() and path.partition("/")[2] == folder:
                (target / name).write_bytes(archive.extractfile(member).read())


def debian_folder() -> Path:
    return paths.cache() / "guests" / "debian"


def debian(update: bool = False) -> Path:
    """The folder with Debian's kernel (vmlinux) and its modules, busybox and initramfs; fetched if it is not there."""
    folder = debian_folder()
    if update or not _complete(folder):
        with store.lock("fetch"):
            if update or not _complete(folder):
                packages.ensure("fetch")
                _fetch_debian(folder)
    if not initramfs.is_newer_than_tool(folder / "initramfs"):
        _make_initramfs(folder)
    return folder


def _complete(folder: Path) -> bool:
    return (folder / _RECORD).exists() and (folder / _MODULES / modules.ORDER).exists()


def _make_initramfs(folder: Path) -> None:
    initramfs.make(folder / "initramfs", folder / "busybox", files=modules.read(folder / _MODULES))


def _fetch_debian(folder: Path) -> None:
    area = apt.Area("guests", apt.guest_sources("deb"), foreign=True)
    _say("fetching Debian's package lists for riscv64")
    area.update()
    kernel = _kernel_package(area)
    versions = {name: area.show(name)["Version"] for name in (kernel, _BUSYBOX)}
    if _complete(folder) and _read_record(folder) == versions:
        _say("the cached guests are the newest: " + _describe(versions))
        return
    _say("fetching " + _describe(versions) + " (about 110 MB)")
    with store.workplace("fetch") as work:
        area.get(["download", kernel, _BUSYBOX], "Debian's kernel and busybox could not be fetched", cwd=work)
        ready = work / "debian"
        ready.mkdir()
        _say("unpacking")
        _unpack_kernel(_only(work.glob(f"{kernel}_*.deb"), kernel), work / "kernel", ready)
        _extract(_only(work.glob(f"{_BUSYBOX}_*.deb"), _BUSYBOX), "./usr/bin/busybox", ready / "busybox")
        _make_initramfs(ready)
        (ready / _RECORD).write_text(json.dumps(versions, indent=1) + "\n")
        store.move(ready, folder)


def _kernel_package(area: apt.Area) -> str:
    """linux-image-riscv64 only depends on the current kernel's package."""
    depends = area.show(_KERNEL).get("Depends", "")
    for word in depends.split(","):
        name = word.split()[0] if word.split() else ""
        if name.startswith("linux-image-"):
            return name
    raise CannotStart(f"{_KERNEL} names no kernel package")


def _unpack_kernel(deb: Path, whole: Path, target: Path) -> None:
    """The kernel and those of its modules that an initramfs needs."""
    if process.run(["dpkg-deb", "--extract", str(deb), str(whole)]).returncode:
        raise CannotStart(f"{deb.name} could not be unpacked")
    shutil.copyfile(_only(whole.glob("boot/vmlinux-*"), "the kernel"), target / "vmlinux")
    modules.gather(whole, target / _MODULES)
    shutil.rmtree(whole)


def _extract(deb: Path, prefix: str, target: Path) -> None:
    """Copy the one file whose name starts with prefix out of a package."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as unpacker:
        try:
            with tarfile.open(fileobj=unpacker.stdout, mode="r|") as archive:
                for member in archive:
                    if member.isreg() and member.name.startswith(prefix):
                        with open(target, "wb") as out:
                            shutil.copyfileobj(archive.extractfile(member), out)
                        return
        except tarfile.TarError as error:
            raise CannotStart(f"{deb.name}: {error}") from None
        finally:
            unpacker.kill()  # the rest of the package is not needed
    raise CannotStart(f"{deb.name} has no file {prefix}")


def _read_record(folder: Path) -> dict | None:
    try:
        return json.loads((folder / _RECORD).read_text())
    except (OSError, ValueError):
        return None


def debian_kernel() -> str | None:
    """Name and version of the kernel in the cache, None: there is none."""
    versions = _read_record(debian_folder()) or {}
    return next((f"{name} {version}" for name, version in versions.items() if name.startswith("linux-image")), None)


def _describe(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _only(found, what: str) -> Path:
    files = list(found)
    if len(files) != 1:
        raise CannotStart(f"{what} could not be fetched")
    return files[0]


def _say(message: str) -> None:
    print(f"caisson: {message}", file=sys.stderr, flush=True)
