"""Names that stand for guests: `guest:NAME` in a TOML file or an option.

    guest:debian/vmlinux     Debian's riscv64 kernel, fetched
    guest:debian/initramfs   a root file system of busybox for it
    guest:NAME               our own program guests/NAME, built
"""
from caisson import building, fetch, paths

PREFIX = "guest:"
_DEBIAN = {"debian/vmlinux": "vmlinux", "debian/initramfs": "initramfs"}


def locate(label: str) -> str:
    """A file name as typed -> its path. Ordinary names stay as they are. Raises ValueError."""
    if not label.startswith(PREFIX):
        return label
    name = label.removeprefix(PREFIX)
    if name in _DEBIAN:
        return str(fetch.debian() / _DEBIAN[name])
    if name not in own():
        raise ValueError("no such guest (there are " + ", ".join(PREFIX + known for known in [*_DEBIAN, *own()]) + ")")
    building.build_guests()
    return str(paths.guest_binary(name))


def own() -> list[str]:
    """The names of our own guest programs."""
    folder = paths.ROOT / "guests"
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name != "lib")
