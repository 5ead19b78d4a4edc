"""An installed Debian's first stage: packages of a foreign architecture unpacked into a file system image.

No program of theirs runs here. What dpkg itself would record while it unpacks is
written down for it, so that in the second stage, in a VM, `dpkg --configure` goes
on from there. This is a program of its own because it runs under fakeroot:
everybody's files are root's there, and mke2fs believes it.

    fakeroot python3 firststage.py PACKAGES-FOLDER EXTRA-TREE WORK-FOLDER IMAGE SIZE
"""
import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

REVISION = 1  # another one has every image made anew
_INFO, _TRIGGERS = "var/lib/dpkg/info", "var/lib/dpkg/triggers"
_LINKS_FIRST = "base-files"  # has /bin -> usr/bin and its like, through which others are unpacked
_MKE2FS = ["/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-L", "debian", "-m", "1", "-E", "root_owner=0:0,lazy_itable_init=0"]


def main(packages: Path, extra: Path, work: Path, image: Path, size: str) -> None:
    root = work / "root"
    root.mkdir()
    debs = sorted(packages.glob("*.deb"), key=lambda deb: (not deb.name.startswith(f"{_LINKS_FIRST}_"), deb.name))
    for number, deb in enumerate(debs, 1):
        _say(f"unpacking {number} of {len(debs)}: {deb.name.split('_')[0]}")
        _unpack(deb, root, work / "control")
    (root / _INFO / "format").write_text("1\n")
    (root / "var/lib/dpkg/arch").write_text("riscv64\n")
    (root / "var/lib/dpkg/available").touch()
    _note_modules(root)
    shutil.copytree(extra, root, symlinks=True, dirs_exist_ok=True)
    _say("making the file system")
    _run([*_MKE2FS, "-d", str(root), str(image), size])


def _unpack(deb: Path, root: Path, control: Path) -> None:
    listing = _unpack_files(deb, root)
    shutil.rmtree(control, ignore_errors=True)
    _run(["dpkg-deb", "--control", str(deb), str(control)])
    fields = (control / "control").read_text()
    name, architecture = _field(fields, "Package"), _field(fields, "Architecture")
    in_info = f"{name}:{architecture}" if _field(fields, "Multi-Arch") == "same" else name
    info = root / _INFO
    info.mkdir(parents=True, exist_ok=True)
    for file in control.iterdir():
        if file.name != "control":
            shutil.copy2(file, info / f"{in_info}.{file.name}")
    (info / f"{in_info}.list").write_text(listing)
    if (control / "triggers").exists():
        _record_triggers((control / "triggers").read_text(), name, root / _TRIGGERS)
    with open(root / "var/lib/dpkg/status", "a") as status:
        status.write(_status(fields, control, root))


def _unpack_files(deb: Path, root: Path) -> str:
    """Unpack the package's files. Returns their names, one a line, as dpkg lists them."""
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as unpacker:
        names = subprocess.run(["tar", "-xpv", "--numeric-owner", "--keep-directory-symlink", "--warning=no-timestamp",
                                "--quoting-style=literal", "-C", str(root)],
                               stdin=unpacker.stdout, stdout=subprocess.PIPE, check=True, text=True).stdout
    if unpacker.returncode:
        raise SystemExit(f"{deb.name}: cannot be unpacked")
    paths = [line.removeprefix(".").rstrip("/") for line in names.splitlines()]
    return "".join((path or "/.") + "\n" for path in paths)


def _status(fields: str, control: Path, root: Path) -> str:
    """The package's record: unpacked, its configuration files there and known."""
    record = re.sub(r"^(Package: .*)$", r"\1\nStatus: install ok unpacked", fields.strip(), count=1, flags=re.MULTILINE)
    if (control / "conffiles").exists():
        record += "\nConffiles:\n" + "\n".join(_conffiles((control / "conffiles").read_text(), root))
    return record + "\n\n"


def _conffiles(names: str, root: Path) -> list[str]:
    """As dpkg notes them: name and MD5 sum. A line may have a flag before the name (remove-on-upgrade)."""
    files = [root / name.lstrip("/") for name in names.split("\n") if name.startswith("/")]
    return [f" /{file.relative_to(root)} {hashlib.md5(file.read_bytes()).hexdigest()}" for file in files if file.is_file()]


def _record_triggers(triggers: str, package: str, folder: Path) -> None:
    """Who wants to be told of what: a file's triggers stand together, others have a file each."""
    folder.mkdir(parents=True, exist_ok=True)
    for line in triggers.splitlines():
        words = line.split("#")[0].split()
        if len(words) == 2 and words[0].startswith("interest"):
            flag = "/noawait" if words[0].endswith("noawait") else ""
            path = words[1].startswith("/")
            with open(folder / ("File" if path else words[1]), "a") as record:
                record.write(f"{words[1]} {package}{flag}\n" if path else f"{package}{flag}\n")


def _field(fields: str, name: str) -> str:
    found = re.search(rf"^{name}: *(.*)$", fields, re.MULTILINE)
    return found[1] if found else ""


def _note_modules(root: Path) -> None:
    """Which kernel module needs which: seconds here, minutes in an emulated guest."""
    for kernel in (root / "usr/lib/modules").glob("*"):
        _say(f"depmod {kernel.name}")
        _run(["/sbin/depmod", "--basedir", str(root), kernel.name])


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _say(message: str) -> None:
    print(message, flush=True)


if __name__ == "__main__":
    main(*(Path(word) for word in sys.argv[1:5]), sys.argv[5])
