"""Channels between VMs (docs/channel.md): who may attach, what members share, and what others do not notice."""
import json
import re

import pytest

from machines import ROOT, batch, guest, run
from prompt import Monitor, to_monitor

PAIR = [str(ROOT / "configs" / "vms" / name) for name in ("ping.toml", "pong.toml")]


@pytest.fixture
def vm(tmp_path):
    """vm("ping", "role=ping", allow=["pong:rw"]) -> the path of its description, with the channel `c` in it."""
    def write(name: str, append: str, kernel: str = "pingpong", channel: bool = True, **keys) -> str:
        text = f'kernel = "{guest(kernel)}"\nappend = "{append}"\nmemory = "16M"\n'
        if channel:
            text += '\n[[channel]]\nname = "c"\n'
            if "allow" in keys:
                keys.setdefault("size", "64K")
            text += "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
        path = tmp_path / f"{name}.toml"
        path.write_text(text)
        return str(path)

    return write


@pytest.mark.parametrize("harts", [1, 2])
def test_H9_two_guests_play_ping_pong(harts):
    result = batch("--icount", "--harts", harts, *PAIR)
    assert result.status == 0, result.err
    assert "1000 rounds, the ball is 2000" in result.text
    assert "pong: 1000 balls" in result.text
    assert "[ping] PASS ping" in result.text and "[pong] PASS pong" in result.text


def test_a_doorbell_gets_the_hart_at_once():
    """On one hart, the one rung must not wait until the ringer's turn is over (10 ms)."""
    result = batch("--icount", *PAIR)
    assert int(re.search(r"(\d+) ns from doorbell to handler", result.text)[1]) < 10_000
    assert int(re.search(r"(\d+) ns each", result.text)[1]) < 30_000


@pytest.mark.parametrize("size", ["4K", "2M", "16M"])
def test_H9_a_store_to_read_only_memory_faults_in_that_guest(vm, size):
    result = batch(vm("owner", "test=channel", "probe", size=size, allow=["reader:ro"], access="ro"),
                   vm("reader", "test=channel", "probe", access="ro"))
    assert result.status == 0, result.text
    assert result.text.count("cause 7") >= 2 * 2 * 6
    assert result.text.count("PASS channel") == 2


def test_H15_a_vm_without_the_channel_does_not_reach_it(vm):
    result = batch(vm("owner", "test=channel", "probe", allow=["stranger:rw"]),
                   vm("stranger", "test=no-channel", "probe", channel=False))
    assert result.status == 0, result.text
    assert "[owner] PASS channel" in result.text and "[stranger] PASS no-channel" in result.text


@pytest.mark.parametrize("listens", [False, True])
@pytest.mark.parametrize("harts", [1, 2])
def test_H15_a_storm_of_doorbells(vm, harts, listens):
    """One member does nothing but ring; two others play on, and so does a VM that has nothing to do with it."""
    mask = "0xffffffff" if listens else "0x80000002"
    ping = vm("ping", f"role=ping peer=1 others=2 rounds=50 listen={mask}", allow=["pong:rw", "storm:rw"])
    result = batch("--harts", harts, ping, vm("pong", "role=pong peer=0"), vm("storm", "role=storm peer=0"),
                   vm("other", "test=smp", "probe", channel=False))
    assert result.status == 0, result.text + result.err
    assert "50 rounds, the ball is 100" in result.text and "PASS smp" in result.text
    assert int(re.search(r"storm: rang (\d+) times", result.text)[1]) > 10
    if not listens:  # who does not listen to the storm is not interrupted by it (two more: they come and go)
        assert int(re.search(r"ping: .* (\d+) interrupts", result.text)[1]) <= 52


def test_H14_debian_and_a_guest_of_ours_play_ping_pong(debian, tmp_path, vm):
    """Linux has no driver for it: a shell script reaches registers and memory through /dev/mem."""
    from caisson import initramfs

    initramfs.make(tmp_path / "initramfs", debian / "busybox", [
        "echo label $(cat /proc/device-tree/soc/channel@10010000/label)",
        "echo magic $(devmem 0x10010000)",
        "devmem 0x1001001c 32 1",
        "n=0; while [ $n -lt 20 ]; do b=$(($(devmem 0x18000000 64))); if [ $((b % 2)) = 1 ]; then"
        " devmem 0x18000000 64 $((b + 1)); devmem 0x10010020 32 0; n=$((n + 1)); fi; done",
        "echo linux answered $n balls",
    ])
    linux = tmp_path / "linux.toml"
    linux.write_text(f'kernel = "{debian / "vmlinux"}"\ninitrd = "initramfs"\nappend = "console=ttyS0 quiet"\n'
                     'memory = "256M"\n[[channel]]\nname = "c"\n')
    result = batch("--harts", "2", linux, vm("ping", "role=ping rounds=20", allow=["linux:rw"]))
    assert result.status == 0, result.text + result.err
    assert "label c" in result.text and "magic 0x4C4E4843" in result.text
    assert "20 rounds, the ball is 40" in result.text and "linux answered 20 balls" in result.text


# --- members that come and go ---

@pytest.fixture
def monitor(spawn, vm):
    """ping and pong play for ever; the prompt."""
    ping = vm("ping", "role=ping rounds=1000000000 every=100", allow=["pong:rw"])
    child = spawn("run", "--harts", "2", ping, vm("pong", "role=pong"))
    child.expect("rounds so far")
    return Monitor(child)


def states(monitor) -> dict[str, str]:
    return {row["vm"]: row["state"] for row in json.loads(monitor("channel --json"))}


def goes_on(monitor, *lines: str) -> None:
    """ping says these lines and then plays on."""
    monitor.child.send("vm console ping\r")
    for line in (*lines, "rounds so far"):
        monitor.child.expect(line)
    to_monitor(monitor.child)


def test_H13_a_member_is_reset_deleted_and_made_anew_while_the_other_plays(monitor):
    assert states(monitor) == {"ping": "present", "pong": "present"}
    monitor("vm reset pong")
    goes_on(monitor, "member 1 is gone", "member 1 is back")
    monitor.order("vm stop pong --now", "pong was stopped")
    assert states(monitor) == {"ping": "present", "pong": "attached"}
    monitor("vm delete pong")
    assert states(monitor) == {"ping": "present", "pong": "absent"}
    monitor("vm create pong")
    monitor("vm start pong")
    goes_on(monitor, "member 1 is gone", "member 1 is back")
    monitor("vm reset ping")
    goes_on(monitor, "member 0 plays with member 1")


def test_H13_rounds_with_a_channel_leave_nothing(monitor):
    def free():
        return json.loads(monitor("mem --json"))["free"]

    counts = []
    for _ in range(4):
        for name in ("ping", "pong"):
            monitor.order(f"vm stop {name} --now", f"{name} was stopped")
            monitor(f"vm delete {name}")
        assert states(monitor) == {"ping": "absent", "pong": "absent"}
        counts.append(free())
        for name in ("pong", "ping"):
            monitor(f"vm create {name}")
            monitor(f"vm start {name}")
        goes_on(monitor, "plays with member 1")
    assert max(counts[1:]) - min(counts[1:]) <= 256 << 10, counts  # (a hart keeps up to 32 single frames of its own)


# --- the hypervisor checks again: a bundle that the host tool would not write ---

@pytest.fixture
def bundle_status(tmp_path):
    """Run a bundle with these channels (name -> members) and VMs (name -> what it attaches to)."""
    def start(channels: dict[str, dict], vms: dict[str, list[str]]):
        from caisson import bundle, channels as tables, cpio, vmconfig

        source = vmconfig.Source("--kernel", {}, typed=False)
        path = tmp_path / "bundle"
        with open(path, "wb") as out:
            archive = cpio.Writer(out)
            archive.directory("vm")
            for n, (name, wanted) in enumerate(vms.items()):
                config = vmconfig.build({"kernel": guest("hello"), "name": name, "memory": "16M"}, source, "vm")
                config.channel = [tables.Channel("", name, access=access) for name, access in (text.split(":") for text in wanted)]
                archive.file(f"vm/{n}.dtb", bundle.describe(config, {"kernel": "file/0"}))
            archive.directory("channel")
            for n, (name, channel) in enumerate(channels.items()):
                archive.file(f"channel/{n}.dtb", bundle.describe_channel(tables.Shared(
                    channel.get("name", name), channel.get("size", 4096), None, None, channel["members"])))
            archive.directory("file")
            archive.file("file/0", (ROOT / "build" / "guests" / "hello.bin").read_bytes())
            archive.finish()
        return run(["qemu-system-riscv64", "-M", "virt", "-cpu", "rv64", "-m", "256M", "-nographic", "-monitor", "none",
                    "-kernel", ROOT / "build" / "hypervisor" / "caisson.bin", "-initrd", path, "-append", "batch"])

    return start


BAD = [
    ({"c": {"members": {"a": "rw"}}}, {"a": ["c:rw"], "b": ["c:rw"]}, "b: channel 'c': not on its access list"),
    ({"c": {"members": {"a": "rw", "b": "ro"}}}, {"a": ["c:rw"], "b": ["c:rw"]}, "b: channel 'c': its access list allows reading only"),
    ({}, {"a": ["c:rw"]}, "a: channel 'c': there is no such channel"),
    ({"c": {"members": {"a": "rw"}}}, {"a": ["c:rw", "c:ro"]}, 'a: channels: "c" is there twice'),
    ({"c": {"members": {"a": "rw"}, "size": 0}}, {"a": ["c:rw"]}, "a: channel/0.dtb: size: 0 is not a power of two"),
    ({"c": {"members": {"a": "rw"}, "size": 1 << 40}}, {"a": ["c:rw"]}, "a: channel/0.dtb: size: 1099511627776 is not"),
    ({"c": {"members": {"a": "rw"}}, "d": {"name": "c", "members": {"a": "rw"}}}, {"a": ["c:rw"]}, "channel 'c' is described twice"),
]


@pytest.mark.parametrize("channels, vms, message", BAD, ids=[message.split(": ")[-1] for *_, message in BAD])
def test_H9_an_attach_that_is_not_allowed_is_refused_by_the_hypervisor_too(bundle_status, channels, vms, message):
    result = bundle_status(channels, vms)
    assert result.status == 2
    assert message in result.text


def test_what_is_allowed_starts(bundle_status):
    result = bundle_status({"c": {"members": {"a": "rw", "b": "ro"}}}, {"a": ["c:rw"], "b": ["c:ro"]})
    assert result.status == 0, result.text
