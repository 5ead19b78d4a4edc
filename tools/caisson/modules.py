"""Modules of Debian's kernel for initramfs images: which, in what order, unpacked and small."""
import lzma
import os
import re
import shutil
import subprocess
from pathlib import Path

from caisson.errors import CannotStart

# What a guest needs to reach its devices and the disk that its root is on. The rest is the root's.
WANTED = ("virtio_mmio", "virtio_blk", "ext4", "virtio_net", "virtio-rng")
ORDER = "order"  # the file with the modules' names, each after those that it needs
_PROVIDERS = {"crypto-crc32c": "crc32c_generic"}  # soft dependencies name what is provided, not the module


def gather(tree: Path, target: Path) -> None:
    """Put the WANTED modules of an unpacked kernel package, with all that they need, into a new folder."""
    files = {file.name.split(".")[0]: file for file in tree.rglob("*.ko*")}
    ordered: dict[str, bytes] = {}
    for name in WANTED:
        _add(name, files, ordered)
    target.mkdir()
    for name, data in ordered.items():
        (target / f"{name}.ko").write_bytes(data)
        _strip(target / f"{name}.ko")
    (target / ORDER).write_text("".join(f"{name}\n" for name in ordered))


def read(folder: Path) -> dict[str, bytes]:
    """What gather() made, for an initramfs: name in it -> contents."""
    names = (folder / ORDER).read_text().split()
    modules = {f"lib/modules/{name}.ko": (folder / f"{name}.ko").read_bytes() for name in names}
    return {**modules, f"lib/modules/{ORDER}": (folder / ORDER).read_bytes()}


def _add(name: str, files: dict[str, Path], ordered: dict[str, bytes]) -> None:
    """Add a module after those that it needs. A name without a file is built into the kernel."""
    if name in ordered or name not in files:
        if name in WANTED and name not in ordered:
            raise CannotStart(f"Debian's kernel has no module {name}")
        return
    data = files[name].read_bytes()
    data = lzma.decompress(data) if files[name].suffix == ".xz" else data
    for needed in _needs(data):
        _add(needed, files, ordered)
    ordered[name] = data


def _needs(module: bytes) -> list[str]:
    """What the module says about itself, in strings that end with a NUL."""
    hard = re.search(rb"\0depends=([^\0]*)\0", module)
    soft = re.search(rb"\0softdep=pre: ([^\0]*)\0", module)
    names = (hard[1].decode().split(",") if hard else []) + (soft[1].decode().split() if soft else [])
    return [_PROVIDERS.get(name, name).replace("-", "_") if name in _PROVIDERS else name for name in names if name]


def _strip(module: Path) -> None:
    """Drop local symbols, three quarters of a module. Without binutils it stays large."""
    objcopy = shutil.which(os.environ.get("CROSS", "riscv64-unknown-elf-") + "objcopy")
    if objcopy:
        subprocess.run([objcopy, "--strip-debug", "--discard-locals", module], check=True, stdin=subprocess.DEVNULL)
