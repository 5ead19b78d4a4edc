"""H14: Debian's own kernel, with a busybox initramfs, as a guest; and U-Boot."""
import os
import re
import subprocess
from pathlib import Path

import pytest

from machines import batch, guest
from prompt import end_of_run

UBOOT = "/usr/lib/u-boot/qemu-riscv64_smode"
PROMPT = r"root@debian:~# "
SHAPES = [(1, 1), (2, 2), (4, 4), (4, 2), (2, 1), pytest.param((8, 1), marks=pytest.mark.long)]


@pytest.fixture
def script(debian, tmp_path):
    """Boot Debian, run these shell lines as init, power off; the result."""
    def boot(lines: list[str], *words, append="console=ttyS0 quiet", timeout=180, files=None):
        from caisson import initramfs

        path = tmp_path / "initramfs"
        initramfs.make(path, debian / "busybox", lines, files)
        return batch("--kernel", debian / "vmlinux", "--initrd", path, "--append", append, *words, timeout=timeout)

    return boot


def shape_id(shape):
    return f"H14-{shape[0]}-cpus-on-{shape[1]}-harts"


@pytest.mark.parametrize("shape", SHAPES, ids=shape_id)
def test_debian_counts_its_cpus(script, shape):
    cpus, harts = shape
    result = script(["echo cpus $(nproc) $(grep -c ^processor /proc/cpuinfo)", "cat /proc/cmdline"],
                    "--cpus", cpus, "--harts", harts)
    assert result.status == 0, result.err
    assert f"cpus {cpus} {cpus}" in result.text
    assert "console=ttyS0 quiet" in result.text.splitlines()


@pytest.mark.parametrize("cpus", [1, 4])
def test_H14_debian_without_sstc(script, cpus):
    result = script(["echo up $(nproc)"], "--cpus", cpus, "--harts", min(cpus, 2), "--cpu", "rv64,sstc=off")
    assert result.status == 0 and f"up {cpus}" in result.text


def test_H14_debian_sees_what_it_was_given(script):
    result = script(["grep MemTotal /proc/meminfo", "cat /proc/device-tree/model; echo", "grep -m1 isa /proc/cpuinfo",
                     "cat /proc/interrupts"], "--memory", "512M", append="console=ttyS0")
    assert result.status == 0
    total = int(re.search(r"MemTotal: +(\d+) kB", result.text)[1])
    assert 400 << 10 < total <= 512 << 10
    isa = re.search(r"isa\s*: rv64i(\S+)", result.text)[1]
    assert "h" not in isa.split("_")[0], "the H extension is never offered"
    assert "random: crng init done" in result.text
    assert not re.search(r"BUG|Oops|WARNING|call trace|rcu.*stall|unhandled", result.text, re.IGNORECASE)


def test_H14_debian_works(script):
    """Processes, memory, floating point, timers and many small writes."""
    result = script([
        "i=0; while [ $i -lt 200 ]; do (exit 3) ; [ $? = 3 ] || echo bad status; i=$((i+1)); done",
        "dd if=/dev/urandom of=/tmp/a bs=1M count=8 2>/dev/null; cp /tmp/a /tmp/b; cmp /tmp/a /tmp/b && echo same",
        "echo 'scale=30; 4*a(1)' | bc -l 2>/dev/null; awk 'BEGIN { printf \"%.10f\\n\", 355 / 113 }'",
        "t=$(cut -d. -f1 /proc/uptime); sleep 2; echo slept $(($(cut -d. -f1 /proc/uptime) - t))",
        "seq 1 2000",
    ], "--cpus", "2", "--harts", "2", "--memory", "256M")
    assert result.status == 0, result.err
    assert "bad status" not in result.text
    assert "same" in result.text and "3.14159265358979323846264338" in result.text and "3.1415929204" in result.text
    assert int(re.search(r"slept (\d+)", result.text)[1]) >= 2
    numbers = [int(line) for line in result.text.splitlines() if re.fullmatch(r"\d+", line)]
    assert numbers == list(range(1, 2001))


@pytest.mark.parametrize("cpus", [1, 2])
def test_H10_debian_counts_its_own_instructions(script, tmp_path, cpus):
    """perf_event_open(), with a busy process on the other CPU, which has the same hart."""
    program = tmp_path / "counts"
    subprocess.run([f"{os.environ.get('CROSS', 'riscv64-unknown-elf-')}gcc", "-O2", "-march=rv64gc", "-mabi=lp64d",
                    "-ffreestanding", "-nostdlib", "-static", Path(__file__).parent / "linux" / "counts.c", "-o", program], check=True)
    busy = "(while true; do :; done) & " if cpus > 1 else ""
    result = script(["dmesg | grep riscv-pmu", busy + "/bin/counts"], "--cpus", cpus, "--harts", 1, "--icount",
                    files={"bin/counts": program.read_bytes()})
    assert result.status == 0, result.err
    assert "8 firmware and 2 hardware counters" in result.text
    for event in ("instructions", "cycles"):
        assert 20_000_000 <= int(re.search(rf"^{event} (\d+)", result.text, re.MULTILINE)[1]) < 22_000_000
    assert int(re.search(r"^exits (\d+)", result.text, re.MULTILINE)[1]) > 0
    assert "cache-misses error" in result.text


@pytest.fixture
def shell(debian, spawn):
    """A person at the shell of a Debian guest."""
    def boot(*words):
        child = spawn("run", "--kernel", debian / "vmlinux", "--initrd", debian / "initramfs", "--append",
                      "console=ttyS0 quiet", "--quiet", *words)
        child.expect(PROMPT)
        return child

    return boot


def command(child, line: str, answer: str):
    child.send(line + "\r")
    child.expect(answer)
    child.expect(PROMPT)


def test_H14_shell_is_usable_by_a_person(shell):
    child = shell("--cpus", "2", "--harts", "2")
    command(child, "echo answer $((6 * 7))", "answer 42")
    child.send("echo wromg\x7f\x7fng\r")             # backspace
    child.expect("wrong")
    child.expect(PROMPT)
    child.send("\x1b[A\r")                           # the line before
    child.expect("wrong")
    child.expect(PROMPT)
    child.send("echo cd\x1b[D\x1b[Dab\r")            # the cursor keys
    child.expect("abcd")
    child.expect(PROMPT)
    child.send("echo sle''eps; sleep 1000\r")
    child.expect("sleeps")
    child.send("\x03")                               # Ctrl-C is the guest's
    child.expect(PROMPT)
    command(child, "echo status $?", "status 130")
    child.send("echo re''ads; cat; echo end of cat\r")
    child.expect("reads")
    child.send("line of text\r")
    child.expect(r"line of text\r*\nline of text")
    child.send("\x04")                               # Ctrl-D too
    child.expect(r"\nend of cat")
    child.expect(PROMPT)
    child.send("poweroff\r")
    child.expect_exact("Power down")
    assert end_of_run(child) == 0


def test_H13_reboot_from_the_shell(shell):
    child = shell()
    command(child, "echo once > /tmp/mark; ls /tmp | wc -l | sed 's/^/files: /'", "files: 1")
    child.send("reboot\r")
    child.expect_exact("Debian's Linux")
    child.expect(PROMPT)
    command(child, "ls /tmp | wc -l | sed 's/^/files: /'", "files: 0")
    child.send("poweroff\r")
    assert end_of_run(child) == 0


def test_H14_debian_that_panics_can_reboot(debian, spawn, tmp_path):
    """panic=1 makes the kernel ask for a reset a second after it panicked."""
    from caisson import initramfs

    path = tmp_path / "initramfs"
    initramfs.make(path, debian / "busybox", ["echo booted here", "echo c > /proc/sysrq-trigger"])
    child = spawn("run", "--batch", "--kernel", debian / "vmlinux", "--initrd", path, "--append",
                  "console=ttyS0 quiet panic=1 sysrq_always_enabled")
    for _ in range(2):
        child.expect_exact("booted here")
        child.expect_exact("Kernel panic")


def test_H15_debian_beside_a_flood(debian, toml, tmp_path):
    from caisson import initramfs

    path = tmp_path / "initramfs"
    initramfs.make(path, debian / "busybox", ["echo up $(nproc)"])
    linux = toml("linux", kernel=debian / "vmlinux", initrd=path, append="console=ttyS0 quiet", cpus=2)
    flood = toml("flood", kernel=guest("probe"), append="test=storm ms=3000", memory="32M")
    result = batch(linux, flood, "--harts", "2")
    assert result.status == 0, result.err
    assert "[linux] up 2" in result.text and "[flood] PASS storm" in result.text


@pytest.mark.parametrize("cpus, harts", [(1, 1), (4, 2)])
@pytest.mark.long
def test_H14_boot_log_is_clean(script, cpus, harts):
    for _ in range(5):
        result = script(["echo fine"], "--cpus", cpus, "--harts", harts, append="console=ttyS0")
        assert result.status == 0 and "fine" in result.text
        assert not re.search(r"BUG|Oops|WARNING|rcu.*stall|soft lockup", result.text)


def stop_uboot(child) -> None:
    """To its prompt. The key is there before the seconds are counted in which it has to come."""
    child.expect_exact("In: ")
    child.send(" ")
    child.expect_exact("autoboot")
    child.expect_exact("=> ")


@pytest.mark.skipif(not os.path.exists(UBOOT), reason="no U-Boot")
@pytest.mark.parametrize("name", ["u-boot.bin", "uboot.elf"])
def test_H14_uboot(spawn, name):
    child = spawn("run", "--batch", "--kernel", f"{UBOOT}/{name}", "--cpus", "2", "--memory", "512M")
    for end in ("reset", "poweroff"):
        stop_uboot(child)
        child.send("version\r")
        child.expect(r"U-Boot 20\d\d")
        child.expect_exact("=> ")
        child.send("bdinfo\r")
        child.expect(r"size\s+= 0x0*20000000")
        child.expect_exact("=> ")
        child.send(end + "\r")
    assert end_of_run(child) == 0
