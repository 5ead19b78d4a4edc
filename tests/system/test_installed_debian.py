"""Issue 5's standing proof: an installed Debian is at home in VMs. It is made on first use (docs/installed.md)."""
import re
import socket
import subprocess
import time

import pytest

import linux_disks
from prompt import PROMPT, Monitor, end_of_run, to_monitor

pytestmark = pytest.mark.long

BOOT = 900       # seconds that a boot may take on a computer that has much else to do; alone it takes a minute
WORK = 900
READY = "READY> "
FAILED = "0 loaded units listed"
FIO = ("fio --name=proof --filename=/root/proof --size=16M --bs=4k --rw=randwrite --ioengine=libaio --iodepth=16 "
       "--direct=1 --verify=crc32c --fallocate=none --output=/dev/null")
ARCHIVE = ("deb.debian.org", 80)


@pytest.fixture(scope="session")
def installed():
    from caisson import installed
    from caisson.errors import CannotStart

    try:
        return installed.folder()
    except CannotStart as error:
        pytest.skip(f"there is no installed Debian: {error}")


@pytest.fixture
def disk(installed, tmp_path):
    """A disk of the test's own."""
    subprocess.run(["cp", "--sparse=always", installed / "disk.img", tmp_path / "disk.img"], check=True)
    return tmp_path / "disk.img"


class Guest:
    """A person at the console of an installed Debian."""

    def __init__(self, child):
        self.child, self._number = child, 0

    def log_in(self, name: str = "debian") -> None:
        self.child.expect_exact(f"{name} login: ", timeout=BOOT)
        self.child.send("root\r")
        self.child.expect_exact("Password: ")
        self.child.send("caisson\r")
        self.child.expect_exact(f"root@{name}:~# ")
        self.child.send("bind 'set enable-bracketed-paste off'; stty -echo; PS1='REA''DY> '\r")
        self.child.expect_exact(READY)

    def __call__(self, line: str, timeout: float = WORK) -> str:
        """Run a line; what it prints. It must end with status 0."""
        self._number += 1  # a console that is gone back to shows its last lines again
        self.child.send(f"{line}; echo end {self._number}: $?\r")
        self.child.expect(rf"end {self._number}: (\d+)\r+\n", timeout=timeout)
        said, status = self.child.before, self.child.match[1]
        self.child.expect_exact(READY)
        assert status == "0", f"{line}: status {status}\n{said}"
        return said.replace("\r", "")

    def power_off(self) -> None:
        self.child.send("poweroff\r")


@pytest.fixture
def start(installed, spawn, tmp_path):
    def run(*words):
        return spawn("run", "--quiet", "--console-log", tmp_path, "--harts", "2", *words, timeout=BOOT, encoding="utf-8", codec_errors="replace")

    return run


@pytest.fixture
def one(installed, start, disk):
    """One VM with a disk of its own."""
    return Guest(start("--kernel", installed / "vmlinux", "--initrd", installed / "initramfs", "--cpus", "2",
                       "--memory", "512M", "--append", "console=ttyS0 quiet root=/dev/vda", "--disk", disk))


def test_installed_debian_works_survives_a_reset_and_shuts_down(one, disk):
    """Login, fio with verification, a reset in the middle of writing, what was verified is there, a clean end."""
    one.log_in()
    assert FAILED in one("systemctl --failed --no-pager")
    assert one("findmnt -n -o SOURCE,FSTYPE /").split() == ["/dev/vda", "ext4"]
    assert "riscv64" in one("uname -m") and one("systemctl is-active ssh systemd-networkd").split() == ["active"] * 2
    one(FIO, timeout=WORK)
    one("sync")
    one("(while true; do cp /root/proof /root/churn; rm /root/churn; done) >/dev/null 2>&1 & sleep 2")
    monitor = Monitor(one.child)
    monitor("vm reset guest")
    while not re.search(r"starts +2\b", monitor("vm stats guest")):
        time.sleep(0.2)
    to_guest(one.child, "guest")
    one.log_in()
    assert FAILED in one("systemctl --failed --no-pager")
    one("dmesg | grep -q 'vda.*recovery complete'")
    one(f"{FIO} --verify_only", timeout=WORK)
    one("rm -f /root/churn /root/proof")
    one.power_off()
    assert end_of_run(one.child) == 0
    linux_disks.assert_clean(disk)


def to_guest(child, name: str) -> None:
    """From the monitor to a VM's console."""
    child.send(f"vm console {name}\r")
    child.expect_exact(f"[console of {name}; Ctrl-] comes back")


class Room:
    """Two guests at one terminal."""

    def __init__(self, child):
        self.child, self._guest = child, Guest(child)

    def at(self, name: str) -> Guest:
        to_monitor(self.child)
        to_guest(self.child, name)
        return self._guest


@pytest.fixture
def room(installed, start, tmp_path):
    """Two VMs on a switch that has an uplink, each with an overlay over the same image."""
    for name, uplink in (("left", "true"), ("right", "false")):
        (tmp_path / f"{name}.toml").write_text(
            f'cpus = 1\nmemory = "384M"\nkernel = "{installed}/vmlinux"\ninitrd = "{installed}/initramfs"\n'
            f'append = "console=ttyS0 quiet root=/dev/vda systemd.hostname={name}"\n'
            f'[[disk]]\nfile = "{installed}/disk.img"\noverlay = true\n[[net]]\nuplink = {uplink}\n')
    return Room(start(tmp_path / "left.toml", tmp_path / "right.toml"))


def has_address(guest: Guest) -> str:
    """Wait until DHCP has given one. (ip writes in colours where it is not in a pipe.)"""
    said = guest("until ip -4 -o addr show scope global | grep inet; do sleep 1; done")
    return re.search(r"inet (10\.0\.2\.\d+)/", said)[1]


def archive_answers() -> bool:
    try:
        socket.create_connection(ARCHIVE, timeout=5).close()
        return True
    except OSError:
        return False


def test_installed_debians_meet_on_the_network(room):
    """ssh and iperf3 between two, apt through the uplink."""
    left = room.at("left")
    left.log_in("left")
    key = re.search(r"ssh-ed25519 \S+", left("ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519; cat .ssh/id_ed25519.pub"))[0]
    right = room.at("right")
    right.log_in("right")
    right(f"mkdir -p -m 700 .ssh; echo {key} > .ssh/authorized_keys")
    address = has_address(right)
    right("iperf3 -s -D")
    left = room.at("left")
    assert has_address(left) != address
    assert "0% packet loss" in left(f"ping -c 3 {address}")
    assert left(f"ssh -o StrictHostKeyChecking=no {address} hostname 2>/dev/null").strip() == "right"
    assert "receiver" in left(f"iperf3 -c {address} -t 5")
    assert "receiver" in left(f"iperf3 -c {address} -t 3 -R")
    if archive_answers():
        # the suite alone that the image was made of: mirrors of the others are not everywhere whole
        left("sed -i -e 's/^Suites: trixie .*/Suites: trixie/' -e '/^$/,$d' /etc/apt/sources.list.d/debian.sources")
        left("apt-get update --error-on=any", timeout=WORK)
        assert "Candidate: " in left("apt-cache policy busybox-static")
    left.power_off()
    left.child.expect_exact("[left has shut down]", timeout=WORK)
    left.child.expect_exact(PROMPT)
    to_guest(room.child, "right")
    right.power_off()
    assert end_of_run(right.child) == 0
