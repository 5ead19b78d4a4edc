"""Archives: cpio itself reads them, and the initramfs has what a guest needs."""
import io
import shutil
import subprocess

import pytest
from caisson import cpio, initramfs


def listing(data: bytes) -> str:
    return subprocess.run(["cpio", "-tv", "--quiet"], input=data, capture_output=True, check=True).stdout.decode()


def extract(data: bytes, folder, *names) -> None:
    subprocess.run(["cpio", "-id", "--quiet", "--no-absolute-filenames", *names], input=data, cwd=folder, check=True)


needs_cpio = pytest.mark.skipif(not shutil.which("cpio"), reason="cpio is not installed")


@needs_cpio
def test_contents_come_back(tmp_path):
    out = io.BytesIO()
    archive = cpio.Writer(out)
    archive.directory("vm")
    contents = {f"vm/{n}": bytes(range(n % 256)) * (n % 7 + 1) for n in (0, 1, 2, 3, 4, 5, 255)}
    for name, data in contents.items():
        archive.file(name, data)
    archive.symlink("link", "vm/1")
    archive.finish()
    extract(out.getvalue(), tmp_path)
    assert {name: (tmp_path / name).read_bytes() for name in contents} == contents
    assert (tmp_path / "link").readlink().name == "1"


def test_data_is_aligned():
    out = io.BytesIO()
    archive = cpio.Writer(out)
    for length in range(1, 9):
        archive.file("x" * length, b"MARK" + bytes(length))
    archive.finish()
    data = out.getvalue()
    position, found = 0, 0
    while (position := data.find(b"MARK", position)) >= 0:
        assert position % 4 == 0
        position, found = position + 1, found + 1
    assert found == 8


@pytest.mark.parametrize("name", ["", "/absolute", "nul\0"])
def test_bad_names(name):
    with pytest.raises(ValueError):
        cpio.Writer(io.BytesIO()).file(name, b"")


@needs_cpio
def test_initramfs(tmp_path):
    busybox = tmp_path / "busybox"
    busybox.write_bytes(b"\x7fELF busybox")
    initramfs.make(tmp_path / "one", busybox)
    initramfs.make(tmp_path / "two", busybox)
    data = (tmp_path / "one").read_bytes()
    assert data == (tmp_path / "two").read_bytes()
    names = listing(data)
    for wanted in ("dev/console", "bin/busybox", "init -> bin/busybox", "bin/sh -> busybox", "etc/inittab"):
        assert wanted in names
    assert any(line.startswith("crw") and "5,   1" in line for line in names.splitlines())


@needs_cpio
def test_initramfs_with_commands(tmp_path):
    busybox = tmp_path / "busybox"
    busybox.write_bytes(b"\x7fELF busybox")
    initramfs.make(tmp_path / "image", busybox, commands=["nproc"], files={"bin/extra": b"x"})
    target = tmp_path / "target"
    target.mkdir()
    extract((tmp_path / "image").read_bytes(), target, "init", "bin/extra")
    assert (target / "init").read_text().splitlines()[-2:] == ["nproc", "poweroff -f"]
    assert (target / "bin" / "extra").stat().st_mode & 0o111
