"""Which Debian packages a command needs, and installing those that are missing.

A package counts as installed when a file of it is there: checking that costs
microseconds, so that every command can afford it.
"""
import os
import platform
import re
import shlex
import subprocess
import sys
from glob import glob

from caisson import apt, process
from caisson.errors import CannotStart

_PYTHON = "/usr/lib/python3/dist-packages"
BUILD = {
    "make": "/usr/bin/make",
    "gcc-riscv64-unknown-elf": "/usr/bin/riscv64-unknown-elf-gcc",
    "picolibc-riscv64-unknown-elf": "/usr/lib/picolibc/riscv64-unknown-elf/include/stdio.h",
    "python3-kconfiglib": f"{_PYTHON}/kconfiglib.py",
    "xz-utils": "/usr/bin/xz",
    "debian-archive-keyring": apt.KEYRING,
}
BUNDLE = {"python3-libfdt": f"{_PYTHON}/libfdt.py"}
QEMU = {"qemu-system-riscv": "/usr/bin/qemu-system-riscv64",
        "opensbi": "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin"}
IMAGE = {
    "debian-archive-keyring": apt.KEYRING,
    "e2fsprogs": "/sbin/mke2fs",
    "fakeroot": "/usr/bin/fakeroot",
    "kmod": "/sbin/depmod",
}
U_BOOT = {"u-boot-qemu": "/usr/lib/u-boot/qemu-riscv64_smode/u-boot.bin"}
_CLANG_RT = "libclang-rt-dev"
TEST = {
    "gcc": "/usr/bin/gcc",
    "clang": "/usr/bin/clang",
    _CLANG_RT: "/usr/lib/llvm-*/lib/clang/*/lib/*/libclang_rt.fuzzer*.a",
    "libc6-dev": "/usr/include/stdio.h",
    "gcc-riscv64-linux-gnu": "/usr/bin/riscv64-linux-gnu-gcc",
    "libc6-dev-riscv64-cross": "/usr/riscv64-linux-gnu/lib/libc.a",
    "libcmocka-dev": "/usr/include/cmocka.h",
    "libfdt-dev": "/usr/include/libfdt.h",
    "device-tree-compiler": "/usr/bin/dtc",
    "cpio": "/usr/bin/cpio",
    "dosfstools": "/usr/sbin/mkfs.fat",
    "mtools": "/usr/bin/mcopy",
    **U_BOOT,
    **IMAGE,
    "python3-pytest": f"{_PYTHON}/pytest/__init__.py",
    "python3-pexpect": f"{_PYTHON}/pexpect/__init__.py",
    "python3-pytest-xdist": f"{_PYTHON}/xdist/__init__.py",
}
GDB = {"gdb-multiarch": "/usr/bin/gdb-multiarch"}

_RUN = {**BUILD, **BUNDLE, **QEMU}
NEEDS = {
    "build": BUILD,
    "run": _RUN,
    "app": _RUN,
    "exec": _RUN,
    "bench": _RUN,
    "debug": {**_RUN, **GDB},
    "test": {**_RUN, **TEST, **GDB},
    "u-boot": U_BOOT,
    "image": {**_RUN, **IMAGE},
    "fetch": {"debian-archive-keyring": apt.KEYRING},
}


def missing(action: str) -> list[str]:
    """The packages that `./caisson ACTION` needs and this computer lacks."""
    needs = dict(NEEDS[action])
    if os.environ.get("CAISSON_QEMU"):
        needs = {name: file for name, file in needs.items() if name not in QEMU}
    if os.environ.get("CAISSON_IMAGE"):
        needs = {name: file for name, file in needs.items() if name not in BUILD}
    return [name for name, file in needs.items() if not glob(file)]


def ensure(action: str) -> None:
    """Install what is missing, or raise CannotStart with the one command that does."""
    names = missing(action)
    if not names:
        return
    as_root = _way_to_root()
    if as_root is None:
        raise CannotStart(f"these packages are missing: {' '.join(names)}\n"
                          f"this command installs them: {_hint(names)}")
    print(f"caisson: installing {' '.join(names)}", file=sys.stderr, flush=True)
    if set(names) & set(QEMU):
        _install_qemu(as_root)
    _install([name for name in names if name not in QEMU], as_root)
    still = missing(action)
    if still:
        raise CannotStart(f"these packages could not be installed: {' '.join(still)}")


def _way_to_root() -> list[str] | None:
    """The words to put before a command that needs root; None where there is no way without a password."""
    if os.geteuid() == 0:
        return []
    try:
        probe = subprocess.run(["sudo", "-n", "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except OSError:
        return None
    return ["sudo", "-n"] if probe.returncode == 0 else None


def _hint(names: list[str]) -> str:
    """One command for a person to type."""
    if set(names) & set(QEMU) and _on_bookworm():
        return "sudo ./caisson setup"  # QEMU comes from the backports, which takes several steps
    return "sudo apt-get update && sudo apt-get install -y --no-install-recommends " + shlex.join(_resolved(names))


def _on_bookworm() -> bool:
    try:
        return platform.freedesktop_os_release().get("VERSION_CODENAME") == "bookworm"
    except OSError:
        return False


def _resolved(names: list[str]) -> list[str]:
    """Names that are not the same in every Debian."""
    special = {"qemu-system-riscv": _qemu_name, _CLANG_RT: _clang_rt_name}
    return [special[name]() if name in special else name for name in names]


def _qemu_name() -> str:
    """Before Debian 13, QEMU for RISC-V is in qemu-system-misc."""
    record = subprocess.run(["apt-cache", "show", "qemu-system-riscv"], capture_output=True, check=False)
    return "qemu-system-riscv" if record.returncode == 0 else "qemu-system-misc"


def _clang_rt_name() -> str:
    """What clang needs for sanitizers and for fuzzing has the version in its name."""
    record = subprocess.run(["apt-cache", "depends", "clang"], capture_output=True, text=True, check=False)
    version = re.search(r"Depends: clang-(\d+)$", record.stdout, re.MULTILINE)
    return f"libclang-rt-{version[1]}-dev" if version else _CLANG_RT


def _install_qemu(as_root: list[str]) -> None:
    """QEMU 10: from the backports on Debian 12, where its own is 7.2; that one if there is no other."""
    if _on_bookworm():
        area = apt.Area("host", apt.backports_sources(), foreign=False, preferences=apt.BACKPORTS_PREFERENCES)
        try:
            area.update()
            if area.install(list(QEMU), as_root):
                return
        except CannotStart as failure:
            print(f"caisson: {failure}", file=sys.stderr)
        print("caisson: no QEMU from Debian's backports; taking Debian 12's own", file=sys.stderr, flush=True)
    _install(list(QEMU), as_root)


def _install(names: list[str], as_root: list[str]) -> None:
    """Install with the system's own sources; with lists that are missing or old, after an update."""
    if names and not apt.install(_resolved(names), as_root):
        process.run_to_its_own_end([*as_root, *apt.apt_get(), "update"])
        apt.install(_resolved(names), as_root)
