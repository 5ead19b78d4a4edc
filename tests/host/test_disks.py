"""--disk FILE[,ro]: what is refused, and what QEMU is told."""
import os

import pytest
from caisson import disks
from caisson.disks import Disk
from caisson.errors import UsageError


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "disk.img"
    path.write_bytes(bytes(512))
    return path


def test_an_image_is_found_by_its_absolute_path(image, monkeypatch):
    monkeypatch.chdir(image.parent)
    assert disks.parse("disk.img") == Disk(str(image))
    assert disks.parse("disk.img,ro") == Disk(str(image), read_only=True)


def test_a_comma_belongs_to_the_name_unless_ro_follows(tmp_path):
    path = tmp_path / "one,ro.img"
    path.write_bytes(bytes(512))
    assert disks.parse(str(path)) == Disk(str(path))
    words = disks.qemu_words([disks.parse(f"{path},ro")])
    assert any(f"file.filename={str(path).replace(',', ',,')},werror=report,rerror=report,read-only=on" in word for word in words)


@pytest.mark.parametrize("text, reason", [
    ("", "the file's name is missing"),
    (",ro", "the file's name is missing"),
    ("nothing.img", "No such file or directory"),
    ("disk.img,rw", "No such file or directory"),
    ("disk.img/x", "Not a directory"),
    (".", "not a file with a disk image"),
    ("/dev/null", "not a file with a disk image"),
    ("empty.img", "the file is empty: a disk has at least one sector"),
])
def test_refused(image, monkeypatch, text, reason):
    monkeypatch.chdir(image.parent)
    (image.parent / "empty.img").touch()
    with pytest.raises(UsageError) as refused:
        disks.parse(text)
    assert str(refused.value) == f"--disk {text}: {reason}"


@pytest.mark.skipif(os.geteuid() == 0, reason="everything is writable for root")
def test_an_image_that_cannot_be_written(image):
    image.chmod(0o444)
    with pytest.raises(UsageError, match="not writable, and the disk is not read-only"):
        disks.parse(str(image))
    assert disks.parse(f"{image},ro").read_only


def test_an_image_is_not_written_by_two(image):
    other = image.with_name("link.img")
    other.symlink_to(image)
    with pytest.raises(UsageError, match="two disks have this image"):
        disks.parse_all([str(image), f"{other},ro"])
    assert len(disks.parse_all([f"{image},ro", f"{other},ro"])) == 2


def test_too_many(image):
    with pytest.raises(UsageError, match="at most 8 disks"):
        disks.parse_all([f"{image},ro"] * 9)


def test_words(image):
    assert disks.qemu_words([]) == []
    words = disks.qemu_words([Disk("/a"), Disk("/b", True)])
    assert words[:2] == ["-global", "virtio-mmio.force-legacy=false"]
    assert words[3] == "if=none,id=disk0,format=raw,file.driver=file,file.filename=/a,werror=report,rerror=report"
    assert words[5] == "virtio-blk-device,drive=disk0"
    assert words[9] == "virtio-blk-device,drive=disk1"


def test_checked_before_anything_is_built(tool):
    result = tool.run("app", "--disk", "nothing.img", "hello")
    assert result.returncode == 2 and b"--disk nothing.img: No such file or directory" in result.stderr
    assert not tool.started()
