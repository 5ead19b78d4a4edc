"""Memory of processes (P4): mmap and its relatives do what they do on Linux."""
import shutil
import subprocess

import pytest

import linux_bare
import linux_programs
from machines import caisson


def test_P4_memory_calls_do_what_they_do_on_linux(tmp_path):
    program = linux_programs.build("memory")
    result = caisson("exec", program)
    assert result.status == 0, result.err
    assert len(result.text.splitlines()) > 50
    assert result.text == linux_bare.output(program, tmp_path)


@pytest.fixture(scope="module")
def files_on_linux(tmp_path_factory):
    return linux_bare.output(linux_programs.build("mapfile"), tmp_path_factory.mktemp("linux"), "/")


def test_P4_mapped_files_on_tmpfs_are_as_on_linux(files_on_linux):
    result = caisson("exec", linux_programs.build("mapfile"), "/tmp")
    assert (result.status, result.text) == (0, files_on_linux)
    assert len(result.text.splitlines()) > 15


def test_P4_mapped_files_on_a_disk_are_as_on_linux(files_on_linux, tmp_path):
    from caisson import fetch

    root = tmp_path / "root"
    disk = tmp_path / "disk"
    root.mkdir()
    shutil.copy(fetch.debian() / "busybox", root / "busybox")
    (root / "busybox").chmod(0o755)
    shutil.copy(linux_programs.build("mapfile"), root / "mapfile")
    with open(disk, "wb") as out:
        out.truncate(4 << 20)
    subprocess.run(["/sbin/mkfs.vfat", disk], check=True, stdout=subprocess.DEVNULL)
    script = "/busybox mkdir /mnt; /busybox mount -t vfat /dev/vda /mnt && /mapfile /mnt && /busybox umount /mnt"
    result = caisson("exec", "--root", str(root), "--disk", str(disk), str(root / "busybox"), "sh", "-c", script)
    assert (result.status, result.text) == (0, files_on_linux), result.err
    written = subprocess.run(["mtype", "-i", disk, "::/share"], check=True, capture_output=True).stdout
    assert written[10:11] == b"Y" and written[4096 + 5:4096 + 6] == b"X" and len(written) == 3 * 4096 + 100
    subprocess.run(["/sbin/fsck.vfat", "-n", disk], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("library", linux_programs.LIBRARIES)
def test_P4_fork_copies_what_is_written(library):
    result = caisson("exec", "--ram", "128M", linux_programs.build("cow", library))
    assert result.status == 0, result.err
    assert result.text.count(" pages\n") == 9 and "!" not in result.text and "wrong" not in result.text, result.text


def test_P4_what_is_taken_away_is_gone_on_every_hart():
    """A hart that is not told to forget writes where it must not: then all rounds are wrong."""
    result = caisson("exec", "--harts", "4", linux_programs.build("shootdown"))
    assert result.status == 0, result.err
    assert result.text == "".join(f"{name}: 0 wrong\n" for name in ("protecting", "replacing", "moving", "forking", "dropping")) + \
        "faults: some\n"
