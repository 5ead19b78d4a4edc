"""The ends that a VM does not choose: `vm stop` asks and then forces, and the watchdog bites."""
import pytest

from machines import CAISSON, guest, run
from prompt import ESCAPE, PROMPT, Monitor, to_monitor


def monitor_of(spawn, *files):
    """Start these VMs beside our demonstration guest, which keeps the first console; the prompt."""
    child = spawn("run", "--harts", "2", *files)
    child.expect("tick 1")
    to_monitor(child)
    return child


@pytest.fixture
def tick(toml):
    return toml("tick", kernel=guest("tick"), memory="16M")


def test_stop_lets_linux_shut_down(spawn, debian, tmp_path, tick, toml):
    """The SysRq keys reach Debian's kernel: buffers are synced, file systems read-only, and it powers itself off."""
    linux = toml("linux", kernel=debian / "vmlinux", initrd=debian / "initramfs", append="console=ttyS0", **{"stop-timeout": 600})
    child = monitor_of(spawn, tick, linux)
    child.send("vm console linux\r")
    child.expect("root@debian")
    to_monitor(child)
    child.send("vm stop linux\rvm list\r")
    child.expect("asked to shut down; otherwise it is stopped in 600 s")
    child.expect("linux +stopping")
    child.expect(r"\[linux was stopped: it has shut down as it was asked to\]")
    child.send("vm console linux\r")
    child.expect("sysrq: Emergency Sync")
    child.expect("sysrq: Emergency Remount R/O")
    child.expect("sysrq: Power Off")


def test_stop_lets_our_own_guest_shut_down_and_it_stays(spawn, toml):
    """Asked for by a person, so that the policy does not start it again."""
    child = monitor_of(spawn, toml("tick", kernel=guest("tick"), memory="16M", restart="always", **{"stop-timeout": 600}))
    child.send("vm stop tick\r")
    child.expect(r"\[tick was stopped: it has shut down as it was asked to\]")
    child.send("vm list\r")
    child.expect("tick +stopped")


def test_stop_forces_who_does_not_answer(spawn, tick, toml):
    deaf = toml("deaf", kernel=guest("probe"), append="test=deaf", memory="32M", **{"stop-timeout": 2})
    child = monitor_of(spawn, tick, deaf)
    child.send("vm stop deaf\rvm stop deaf\r")
    child.expect("asked to shut down; otherwise it is stopped in 2 s")
    child.expect("cannot stop deaf: it is stopping")
    child.expect(r"\[deaf was stopped: stopped from the monitor: it did not shut down within 2 s\]")


def test_stop_is_not_taken_back_by_an_order_that_makes_no_sense(spawn, toml):
    child = spawn("run", toml("deaf", kernel=guest("probe"), append="test=deaf", memory="32M", **{"stop-timeout": 5}))
    child.expect("spinning")  # it has asked for its input: it is worth asking
    monitor = Monitor(child)
    child.send("vm stop deaf\rvm start deaf\r")
    child.expect("cannot start deaf: it is stopping")
    child.expect(r"\[deaf was stopped")
    assert "stopped" in monitor("vm list")


@pytest.mark.parametrize("how", ["--now", "paused", "no timeout"])
def test_stop_does_not_wait_where_nobody_can_answer(spawn, tick, toml, how):
    seconds = 0 if how == "no timeout" else 3600
    deaf = toml("deaf", kernel=guest("probe"), append="test=deaf", memory="32M", **{"stop-timeout": seconds})
    child = monitor_of(spawn, tick, deaf)
    if how == "paused":
        child.send("vm pause deaf\r")
        child.expect(PROMPT)
    child.send("vm stop deaf" + (" --now" if how == "--now" else "") + "\r")
    child.expect(r"\[deaf was stopped: stopped from the monitor\]")


def test_sysrq_reaches_the_guest_that_listens(spawn, tick, toml):
    child = monitor_of(spawn, tick, toml("spin", kernel=guest("probe"), append="test=spin", memory="32M"))
    child.send("vm sysrq spin s\r")
    child.expect("spin does not listen to its console")
    child.send("vm sysrq tick\r")
    child.expect("vm sysrq VM KEY")
    child.send("vm sysrq tick long\r")
    child.expect("'long' is not one key")
    child.send("vm sysrq tick s\r")
    child.expect(r"\[tick has shut down\]")
    child.send("vm sysrq tick s\r")
    child.expect("it is shut down")


def test_watchdog_bites_a_guest_that_hangs(toml):
    hung = toml("hung", kernel=guest("probe"), append="test=watchdog ms=3000", memory="32M", watchdog=2)
    result = run([CAISSON, "run", "--batch", hung])
    assert result.status == 1
    assert "ok there is a watchdog\nfed no more\n" in result.text
    assert "hung: crashed: the watchdog was not fed" in result.err


def test_watchdog_and_policy_bring_a_guest_back(spawn, tick, toml):
    hung = toml("hung", kernel=guest("probe"), append="test=spin", memory="32M", watchdog=3, restart="on-crash")
    child = monitor_of(spawn, tick, hung)
    child.send(ESCAPE)
    for seconds in (1, 2):
        child.expect(r"\[hung has crashed: the watchdog was not fed")
        child.expect(rf"\[hung starts again in {seconds} s\]")


def test_watchdog_leaves_a_paused_guest_alone(spawn, tick, toml):
    child = monitor_of(spawn, tick, toml("hung", kernel=guest("probe"), append="test=spin", memory="32M", watchdog=3, autostart=False))
    child.send("vm start hung\rvm pause hung\r")
    child.expect(PROMPT)
    child.expect(PROMPT)
    child.send(ESCAPE)
    for _ in range(3):
        child.expect("tick [0-9]+")
    to_monitor(child)
    child.send("vm list\r")
    child.expect("hung +paused")
    child.send("vm resume hung\r")
    child.expect(r"\[hung has crashed: the watchdog was not fed")


def test_watchdog_is_fed_from_linux(debian, tmp_path):
    """A shell feeds it for longer than it waits; then it bites."""
    from caisson import initramfs

    initramfs.make(tmp_path / "initramfs", debian / "busybox", [
        "cat /proc/device-tree/soc/watchdog@102000/compatible; echo",
        "devmem 0x102004 32 1", # 4 s from the next feeding on
        "for n in 1 2 3 4 5 6; do devmem 0x10200c 32 0x76; sleep 1; done", "echo fed", "while :; do :; done"])
    vm = tmp_path / "vm.toml"
    vm.write_text(f'kernel = "{debian}/vmlinux"\ninitrd = "initramfs"\nappend = "console=ttyS0 quiet"\nwatchdog = 60\n')
    result = run([CAISSON, "run", "--batch", str(vm)])
    assert "snps,dw-wdt" in result.text and "fed\r\n" in result.text
    assert result.status == 1 and "the watchdog was not fed" in result.err
