"""The demonstrations of configs/demos: guests of different kinds side by side, and one of them misbehaves (H14, H15)."""
import re

import pytest

from machines import CAISSON, ROOT, guest, kill_all, start
from prompt import ESCAPE, PROMPT as MONITOR, end_of_run

PROMPT = r"root@debian:~# "
FLOOD_LINES = 200


class Person:
    """Somebody at the console of a demonstration."""

    def __init__(self, spawn, folder: str):
        files = sorted((ROOT / "configs" / "demos" / folder).glob("*.toml"))
        self.child = spawn("run", "--quiet", "--harts", "2", *files)

    def monitor(self, line: str) -> str:
        """From a VM's console to the monitor; what the command says."""
        self.child.send(ESCAPE)
        return self.command(line)

    def command(self, line: str) -> str:
        self.child.expect_exact(MONITOR)
        self.child.send(line + "\r")
        self.child.expect_exact(line)
        self.child.expect_exact("\n")
        if line.startswith(("vm console", "vm stop")):
            return ""
        self.child.expect(r"\n(?=" + MONITOR + ")")
        return self.child.before

    def debian_answers(self, n: int) -> None:
        self.child.send(f"echo answer $(({n} * 7))\r")
        self.child.expect_exact(f"answer {n * 7}")
        self.child.expect(PROMPT)

    def beats(self, count: int) -> int:
        """See the unikernel beat that often; the last one's number."""
        last = None
        for _ in range(count):
            self.child.expect(r"beat (\d+)\r*\n")
            assert last is None or int(self.child.match[1]) == last + 1
            last = int(self.child.match[1])
        return last

    def go_home(self) -> None:
        self.child.send("poweroff\r")
        assert end_of_run(self.child) == 0


def test_H15_two_debians_and_a_unikernel(spawn, debian):
    """The one Debian floods its console, the other panics; both are cut off. The unikernel does not miss a beat."""
    person = Person(spawn, "side-by-side")
    child = person.child
    child.expect(PROMPT)
    person.monitor("vm console debian-2")
    child.expect(PROMPT)
    child.send("while :; do echo flood; done\r")
    for _ in range(FLOOD_LINES):
        child.expect_exact("\nflood")
    person.monitor("vm console debian-1")
    person.debian_answers(2)
    person.monitor("vm console unikernel")
    first = person.beats(3)
    person.monitor("vm stop debian-2 --now")
    child.expect("debian-2 was stopped")
    child.send("\r")
    person.command("vm console debian-1")
    person.debian_answers(3)
    child.send("echo c > /proc/sysrq-trigger\r")
    child.expect("Kernel panic")
    person.monitor("vm console unikernel")
    assert person.beats(2) > first
    said = person.monitor("vm list")
    assert re.search(rb"debian-1 +running", said) and re.search(rb"debian-2 +stopped", said)
    child.expect_exact(MONITOR)
    person.go_home()


def test_H15_debian_beside_u_boot(spawn, debian):
    person = Person(spawn, "boot-loader")
    child = person.child
    child.expect(PROMPT)
    person.monitor("vm console u-boot")
    child.expect(r"=> |autoboot")
    child.send("\r")
    child.expect_exact("=> ")
    child.send("version\r")
    child.expect(r"U-Boot 20\d\d")
    child.expect_exact("=> ")
    child.send("while true; do echo flood; done\r")
    for _ in range(FLOOD_LINES):
        child.expect_exact("\nflood")
    person.monitor("vm console debian")
    person.debian_answers(4)
    person.monitor("vm stop u-boot --now")
    child.expect("u-boot was stopped")
    child.send("\r")
    person.command("vm console debian")
    person.debian_answers(5)
    person.monitor("vm list")
    child.expect_exact(MONITOR)
    person.go_home()


def test_H15_debian_among_bad_neighbours(spawn, debian):
    person = Person(spawn, "bad-neighbour")
    child = person.child
    child.expect(PROMPT)
    for n in range(5):
        person.debian_answers(n)
    assert re.search(rb"frail +(restarting|running|crashed)", person.monitor("vm list"))
    child.expect_exact(MONITOR)
    child.send("\r")
    assert re.search(rb"lost +[1-9]", person.command("vm stats flood")), "what nobody saw is counted"
    child.expect_exact(MONITOR)
    person.go_home()


@pytest.mark.parametrize("misdeed", [
    "console", "hang",
    *(pytest.param(name, marks=pytest.mark.long) for name in ("off", "ipi", "timer", "exits", "touch", "reboot", "lost")),
], ids=lambda misdeed: f"H15-{misdeed}")
def test_progress_beside(debian, toml, tmp_path, misdeed):
    """Debian counts, the unikernel beats: all of both, in order and in lines of their own, whatever the third does."""
    from caisson import initramfs

    initrd = tmp_path / "initramfs"
    initramfs.make(initrd, debian / "busybox", ["seq 1 500"])
    files = [toml("linux", kernel=debian / "vmlinux", initrd=initrd, append="console=ttyS0 quiet", cpus=2, memory="128M"),
             toml("unikernel", kernel="guest:app/beat", append="loglevel=error -- 100 30", memory="16M"),
             toml("bad", kernel=guest("storm"), append=f"do={misdeed}", cpus=2, memory="32M")]
    counted = {"linux": [], "unikernel": []}
    child = start([CAISSON, "run", "--batch", "--quiet", "--harts", "2", *files])
    try:
        for line in child.stdout:
            name, _, text = line.decode(errors="replace").rstrip().partition("] ")
            if name[1:] in counted and (number := re.fullmatch(r"(?:beat )?(\d+)(, and nothing was done)?", text)):
                counted[name[1:]].append(int(number[1]))
            if len(counted["linux"]) == 500 and len(counted["unikernel"]) == 30:
                break
    finally:
        kill_all(child)
    assert counted == {"linux": list(range(1, 501)), "unikernel": list(range(1, 31))}
