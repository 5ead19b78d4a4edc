"""Mounting in the monolith: tmpfs, /proc, /dev, and FAT on a disk that the host made and looks at afterwards."""
import subprocess

import pytest

from machines import caisson


@pytest.fixture(scope="module")
def busybox():
    from caisson import fetch

    return str(fetch.debian() / "busybox")


@pytest.fixture
def disk(tmp_path):
    """A volume with one file."""
    image = tmp_path / "disk.img"
    with open(image, "wb") as out:
        out.truncate(4 << 20)
    (tmp_path / "made").write_text("made on the host\n")
    subprocess.run(["/sbin/mkfs.vfat", image], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["mcopy", "-i", image, tmp_path / "made", "::/made"], check=True)
    return image


def shell(busybox, script, *options):
    """Lines of output, errors among them."""
    prepared = "/busybox --install -s /bin 2>/dev/null || { /busybox mkdir /bin; /busybox --install -s /bin; }; exec 2>&1; "
    return caisson("exec", *options, busybox, "sh", "-c", prepared + script).text.splitlines()


def on_host(image, *words):
    return subprocess.run([*words], env={"PATH": "/sbin:/usr/sbin:/bin:/usr/bin", "MTOOLSRC": "/dev/null"}, check=True, text=True,
                          capture_output=True).stdout


def test_P5_a_disk_of_the_host(busybox, disk):
    script = ("mkdir /mnt; mount -t vfat /dev/vda /mnt; grep vda /proc/mounts; cat /mnt/made; mkdir /mnt/folder; "
              "cp /mnt/made /mnt/folder/copy; echo more >>/mnt/folder/copy; seq 20000 >/mnt/numbers; mv /mnt/numbers /mnt/folder/; "
              "rm /mnt/made; df -m /mnt | tail -1 | awk '{print $1, $2, $6}'; ls -R /mnt; umount /mnt && ls /mnt")
    assert shell(busybox, script, "--disk", str(disk)) == [
        "/dev/vda /mnt vfat rw 0 0", "made on the host", "/dev/vda 4 /mnt", "/mnt:", "folder", "", "/mnt/folder:", "copy", "numbers"]
    on_host(disk, "fsck.vfat", "-n", str(disk))
    assert on_host(disk, "mdir", "-b", "-/", "-i", str(disk), "::").split() == ["::/folder/", "::/folder/copy", "::/folder/numbers"]
    assert on_host(disk, "mtype", "-i", str(disk), "::/folder/copy") == "made on the host\nmore\n"
    assert on_host(disk, "mtype", "-i", str(disk), "::/folder/numbers") == "".join(f"{n}\n" for n in range(1, 20001))


@pytest.mark.parametrize("finally_", ["sync", "fsync /mnt/new"])
def test_P5_synced_is_on_the_disk(busybox, disk, finally_):
    """The machine ends with the disk still mounted."""
    shell(busybox, f"mkdir /mnt; mount -t vfat /dev/vda /mnt; echo written >/mnt/new; {finally_}", "--disk", str(disk))
    assert on_host(disk, "mtype", "-i", str(disk), "::/new") == "written\n"


def test_P5_files_of_a_disk_are_told_apart(busybox, disk):
    script = ("mkdir /mnt; mount -t vfat /dev/vda /mnt; cp /mnt/made /mnt/./made; mkdir /mnt/d; cp /mnt/made /mnt/d/made; mv /mnt/d/made /mnt/d/other; "
              "stat -c '%i' /mnt/made /mnt/d/other /mnt/d /mnt | sort -u | wc -l; [ /mnt/made -ef /mnt/d/../made ] && echo same; "
              "du -k /mnt/made | cut -f1; stat -c '%s %h' /mnt/made; cat /mnt/made")
    assert shell(busybox, script, "--disk", str(disk)) == [
        "cp: '/mnt/made' and '/mnt/./made' are the same file", "4", "same", "2", "17 1", "made on the host"]


def test_P5_a_disk_as_a_file(busybox, disk):
    before = disk.read_bytes()
    script = ("blockdev --getsize64 /dev/vda; md5sum /dev/vda; printf xyz | dd of=/dev/vda bs=1 seek=700 conv=notrunc,fsync 2>/dev/null; "
              "dd if=/dev/vda bs=1 skip=699 count=5 2>/dev/null | od -c; dd if=/dev/zero of=/dev/vda bs=4096 seek=1023 count=2 2>&1 | head -1; "
              "dd if=/dev/vda bs=4096 skip=1024 2>/dev/null | wc -c")
    import hashlib

    assert shell(busybox, script, "--disk", str(disk)) == [
        str(4 << 20), hashlib.md5(before).hexdigest() + "  /dev/vda", "0000000  \\0   x   y   z  \\0", "0000005",
        "dd: error writing '/dev/vda': No space left on device", "0"]
    assert disk.read_bytes() == before[:700] + b"xyz" + before[703:-4096] + bytes(4096)


def test_P5_a_disk_has_one_writer(busybox, disk):
    script = ("mkdir /mnt; exec 3<>/dev/vda; mount -t vfat /dev/vda /mnt; exec 3<&-; mount -t vfat /dev/vda /mnt && echo mounted; "
              "(: 3<>/dev/vda); dd if=/dev/vda count=1 2>/dev/null | wc -c; umount /mnt; (: 3<>/dev/vda) && echo open")
    assert shell(busybox, script, "--disk", str(disk)) == [
        "mount: mounting /dev/vda on /mnt failed: Device or resource busy", "mounted",
        "sh: can't create /dev/vda: Device or resource busy", "512", "open"]


def test_P5_read_only(busybox, disk):
    script = ("mkdir /mnt; mount -t vfat -o ro /dev/vda /mnt; cat /mnt/made; touch /mnt/x; rm /mnt/made; mkdir /mnt/made; "
              "mount -o remount,rw /mnt; echo x >/mnt/x; exec 3>/mnt/y; mount -o remount,ro /mnt; exec 3>&-; mount -o remount,ro /mnt; "
              "echo y >/mnt/y; umount /mnt; mount -t tmpfs -o ro none /mnt; echo z >/mnt/z")
    assert shell(busybox, script, "--disk", str(disk)) == [
        "made on the host", "touch: /mnt/x: Read-only file system", "rm: can't remove '/mnt/made': Read-only file system",
        "mkdir: can't create directory '/mnt/made': File exists", "mount: mounting /dev/vda on /mnt failed: Device or resource busy",
        "sh: can't create /mnt/y: Read-only file system", "sh: can't create /mnt/z: Read-only file system"]
    assert on_host(disk, "mtype", "-i", str(disk), "::/x") == "x\n"
    script = "mkdir /mnt; mount -t vfat /dev/vda /mnt; cat /mnt/x; mount -o remount,rw /mnt; echo >/mnt/y; echo >/dev/vda; umount /mnt; echo end"
    assert shell(busybox, script, "--disk", f"{disk},ro") == [
        "x", "mount: mounting /dev/vda on /mnt failed: Read-only file system", "sh: can't create /mnt/y: Read-only file system",
        "sh: can't create /dev/vda: Read-only file system", "end"]


def test_P5_what_is_open_when_a_disk_becomes_writable_can_be_written(busybox, disk):
    script = ("mkdir /mnt; mount -t vfat -o ro /dev/vda /mnt; exec 5</mnt/made; mount -o remount,rw /mnt; echo changed >/mnt/made; "
              "cat <&5; echo again >>/mnt/made; umount /mnt; exec 5<&-; cat /mnt/made; umount /mnt")
    assert shell(busybox, script, "--disk", str(disk)) == ["changed", "umount: can't unmount /mnt: Device or resource busy", "changed", "again"]
    assert on_host(disk, "mtype", "-i", str(disk), "::/made") == "changed\nagain\n"


def test_P5_what_cannot_be_mounted(busybox, tmp_path):
    empty = tmp_path / "empty"
    empty.write_bytes(bytes(1 << 20))
    script = ("mkdir -p /mnt /a/b; touch /file; mount -t ext4 /dev/vda /mnt; mount -t vfat /dev/vda /mnt; mount -t vfat /dev/none /mnt; "
              "mount -t vfat /dev/null /mnt; mount -t tmpfs none /file; mount -t tmpfs none /nothing; mount -t tmpfs -o colour=red none /mnt; "
              "mount --bind /a /mnt; umount /mnt; umount /; umount /nothing; echo alive")
    said = [line.rpartition(": ")[2] if "failed" in line or "umount" in line else line
            for line in shell(busybox, script, "--disk", str(empty))]
    assert [line.removeprefix("mounting ").partition(" failed")[0] and line for line in said]
    assert said == ["No such device", "Invalid argument", "No such file or directory", "Block device required", "Not a directory",
                    "No such file or directory", "Invalid argument", "Invalid argument", "Invalid argument",
                    "Device or resource busy", "No such file or directory", "alive"]


def test_P5_mounts_below_mounts(busybox):
    script = ("mkdir -p /m; echo hidden >/m/x; mount -t tmpfs one /m; ls /m; mkdir /m/n; mount -t tmpfs two /m/n; echo deep >/m/n/f; "
              "mount -t tmpfs three /m; umount /m; mv /m/n /m/o; rmdir /m/n; mv /m/n/f /m/f; cat /m/f; cd /m/n; umount /m/n; cd /; "
              "umount /m/n; umount /m; cat /m/x; mount -t tmpfs one /m; echo open >/m/f; exec 3</m/f; umount /m; umount -l /m; "
              "cat /m/x; cat <&3; exec 3<&-; mount -t proc proc /m; cat /m/1/comm; umount /m; mount -t devtmpfs dev /m; ls /m/null; "
              "grep -c /m /proc/mounts")
    assert shell(busybox, script) == [
        "mount: mounting three on /m failed: Device or resource busy", "umount: can't unmount /m: Device or resource busy",
        "mv: can't rename '/m/n': Device or resource busy", "rmdir: '/m/n': Device or resource busy", "deep",
        "umount: can't unmount /m/n: Device or resource busy", "hidden", "umount: can't unmount /m: Device or resource busy",
        "hidden", "open", "busybox", "/m/null", "1"]


def test_P5_a_full_tmpfs(busybox):
    script = ("mkdir /m; mount -t tmpfs -o size=64k,nr_inodes=10,mode=700 none /m; stat -c %a /m; df -k /m | tail -1 | awk '{print $2}'; "
              "dd if=/dev/zero of=/m/f bs=4096 2>&1 | head -1; stat -c '%s %b' /m/f; echo x >/m/g; rm /m/f /m/g; "
              "for i in 1 2 3 4 5 6 7 8 9 10; do (: >/m/$i); done; rm /m/*; ln -s x /m/l && echo room; "
              "dd if=/dev/zero of=/m/s bs=1 count=1 seek=300000000 2>&1 | grep -v records; echo alive")
    assert shell(busybox, script) == [
        "700", "64", "dd: error writing '/m/f': No space left on device", "65536 128", "sh: write error: No space left on device",
        "sh: can't create /m/10: No space left on device", "room",
        "dd: error writing '/m/s': No space left on device", "alive"]


def test_P5_memory_filled_with_files_leaves_the_system_alive(busybox):
    script = "dd if=/dev/zero of=/tmp/f bs=65536 2>&1 | grep -c full; cat /proc/none; rm /tmp/f; seq 3 | wc -l"
    assert shell(busybox, script)[-1] == "3"
