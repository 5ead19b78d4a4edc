"""Machines that Caisson runs on: configs/platforms/NAME.toml says what QEMU and the build must be told."""
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from caisson import paths
from caisson.errors import UsageError

DEFAULT = "virt"
_FOLDER = paths.ROOT / "configs" / "platforms"


@dataclass(frozen=True)
class Platform:
    """One machine. The names of the fields are the file's keys, with - for _."""

    name: str
    description: str
    machine: str  # for QEMU's -M
    cpu: str | None = None  # for QEMU's -cpu; None: the machine's own, which cannot be changed
    max_harts: int = 1  # harts that we run on
    more_harts: int = 0  # harts that the machine has besides
    virtio_places: int = 0  # for its disks and network devices
    qemu_args: list[str] = field(default_factory=list)
    switches: list[str] = field(default_factory=list)  # of the build, as in DRIVER_PLIC=n


def names() -> list[str]:
    return sorted(file.stem for file in _FOLDER.glob("*.toml"))


def read(name: str | None) -> Platform:
    """The platform of that name, or the default one. Raises UsageError."""
    name = name or DEFAULT
    if name not in names():
        raise UsageError(f"--platform {name}: no such platform (there are: {', '.join(names())})")
    return _from_file(_FOLDER / f"{name}.toml")


def _from_file(path: Path) -> Platform:
    try:
        values = tomllib.loads(path.read_text())
        return Platform(path.stem, **{key.replace("-", "_"): value for key, value in values.items()})
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise UsageError(f"{path.relative_to(paths.ROOT)}: {error}") from None
