"""Names that stand for guests: `guest:NAME` in a TOML file or an option.

    guest:debian/vmlinux     Debian's riscv64 kernel, fetched
    guest:debian/initramfs   a root file system of busybox for it
    guest:NAME               our own program guests/NAME, built
"""
from caisson import building, fetch, images, paths

PREFIX = "guest:"
_DEBIAN = {"debian/vmlinux": "vmlinux", "debian/initramfs": "initramfs"}


def locate(label: str) -> str:
    """A file name as typed -> its path. Ordinary names stay as they are. Raises ValueError."""
    name = _name(label)
    if name is None:
        return label
    if name in _DEBIAN:
        return str(fetch.debian() / _DEBIAN[name])
    building.build_guests()
    return str(paths.guest_binary(name))


def find(label: str) -> str:
    """As locate(), but nothing is fetched or built: raises NotThereYet for what would have to be."""
    name = _name(label)
    if name is None:
        return label
    path = fetch.debian_folder() / _DEBIAN[name] if name in _DEBIAN else paths.guest_binary(name)
    if not path.exists():
        raise images.NotThereYet(str(path), "to be fetched" if name in _DEBIAN else "to be built")
    return str(path)


def is_built(label: str) -> bool:
    """Whether the name stands for a program of ours."""
    return label.startswith(PREFIX) and label.removeprefix(PREFIX) not in _DEBIAN


def _name(label: str) -> str | None:
    """The guest's name; None for an ordinary file name. Raises ValueError."""
    if not label.startswith(PREFIX):
        return None
    name = label.removeprefix(PREFIX)
    if name not in _DEBIAN and name not in own():
        raise ValueError("no such guest (there are " + ", ".join(PREFIX + known for known in [*_DEBIAN, *own()]) + ")")
    return name


def own() -> list[str]:
    """The names of our own guest programs."""
    folder = paths.ROOT / "guests"
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name != "lib")
