"""Names that stand for guests: `guest:NAME` in a TOML file or an option.

    guest:debian/vmlinux     Debian's riscv64 kernel, fetched
    guest:debian/initramfs   a root file system of busybox for it
    guest:installed/NAME     an installed Debian's vmlinux, initramfs and disk.img, made on first use (installed.py)
    guest:u-boot             U-Boot's S-mode image, from Debian's package u-boot-qemu
    guest:app/NAME           our application apps/NAME as a unikernel, built
    guest:NAME               our own program guests/NAME, built
"""
from pathlib import Path

from caisson import applications, building, fetch, images, installed, packages, paths

PREFIX = "guest:"
_APP = "app/"
_DEBIAN = {"debian/vmlinux": "vmlinux", "debian/initramfs": "initramfs"}
_INSTALLED = {f"installed/{file}": file for file in (installed.KERNEL, installed.INITRAMFS, installed.DISK)}
_U_BOOT = "u-boot"


def locate(label: str) -> str:
    """A file name as typed -> its path. Ordinary names stay as they are. Raises ValueError."""
    name = _name(label)
    if name is None:
        return label
    if name in _DEBIAN:
        fetch.debian()
    elif name in _INSTALLED:
        installed.folder()
    elif name == _U_BOOT:
        packages.ensure("u-boot")
    elif name.startswith(_APP):
        building.build(_application(name))
    else:
        building.build_guests()
    return str(_path(name))


def find(label: str) -> str:
    """As locate(), but nothing is fetched or built: raises NotThereYet for what would have to be."""
    name = _name(label)
    if name is None:
        return label
    path = _path(name)
    if not path.exists():
        raise images.NotThereYet(str(path), "to be built" if built_in(label) else
                                 "to be installed" if name == _U_BOOT else "to be fetched")
    return str(path)


def built_in(label: str) -> str | None:
    """The folder where the name's image is built, where it is one of ours."""
    name = label.removeprefix(PREFIX)
    if name == label or name in (*_DEBIAN, *_INSTALLED, _U_BOOT):
        return None
    return f"build/{'apps/' + name.removeprefix(_APP) if name.startswith(_APP) else 'guests'}"


def _name(label: str) -> str | None:
    """The guest's name; None for an ordinary file name. Raises ValueError."""
    if not label.startswith(PREFIX):
        return None
    name = label.removeprefix(PREFIX)
    there = [*_DEBIAN, *_INSTALLED, _U_BOOT, *own()]
    apps = [_APP + app for app in applications.names()]
    if name not in there and name not in apps:
        shown = apps if name.startswith(_APP) else [*there, _APP + "NAME"]
        raise ValueError("no such guest (there are " + ", ".join(PREFIX + known for known in shown) + ")")
    return name


def _path(name: str) -> Path:
    """Where the guest's image is, once it is there."""
    if name in _DEBIAN:
        return fetch.debian_folder() / _DEBIAN[name]
    if name in _INSTALLED:
        return installed.Recipe().folder / _INSTALLED[name]
    if name == _U_BOOT:
        return Path(packages.U_BOOT["u-boot-qemu"])
    return _application(name).image if name.startswith(_APP) else paths.guest_binary(name)


def _application(name: str) -> building.Variant:
    return building.Variant(app=name.removeprefix(_APP))


def own() -> list[str]:
    """The names of our own guest programs."""
    folder = paths.ROOT / "guests"
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name != "lib")
