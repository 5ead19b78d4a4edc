"""RAM of a VM in large leaves: at once where it can be, later where memory was short."""
import json

import pytest

from machines import assert_passed, batch, guest, run
from prompt import Monitor

MiB = 1 << 20
RAM = 160 * MiB


def stats(monitor, name: str) -> dict:
    return json.loads(monitor(f"vm stats {name} --json"))


@pytest.fixture
def hog(toml, tmp_path):
    """A description whose RAM leaves the machine too little for one block of 2 MiB, beside VMs of these files."""
    def make(*files, harts: int = 1) -> str:
        script = tmp_path / "free"
        script.write_text("mem --json\npoweroff\n")
        small = toml("hog", kernel=guest("tick"), memory="4M", eager=True)
        free = json.loads(batch("--ram", str(RAM), "--harts", harts, "--script", script, *files, small, timeout=60).err)["free"]
        size = free + 4 * MiB - 3 * MiB // 2
        return toml("hog", kernel=guest("tick"), memory=size // 4096 * 4096, eager=True)

    return make


def wait_for(monitor, name: str, what) -> dict:
    """Ask until it is so."""
    for _ in range(600):
        got = stats(monitor, name)
        if what(got):
            return got
        monitor("sleep 0.1")
    raise AssertionError(f"not so after a minute: {got}")


@pytest.mark.parametrize("disk", [False, True], ids=["", "disk"])
@pytest.mark.parametrize("options", [["--harts", "2"], ["--harts", "2", "--debug"], ["--harts", "1"]], ids=" ".join)
def test_M1_small_leaves_become_large_ones_under_a_guest_that_writes(spawn, toml, hog, tmp_path, options, disk):
    """RAM touched while no block was free; then there are some. Its two vCPUs write, read and check it all the time, or a disk does."""
    append = "test=rewrite disk=1" if disk else "test=rewrite"
    writer = toml("writer", kernel=guest("probe"), append=append, memory="32M", cpus=2, autostart=False)
    if disk:
        image = tmp_path / "image"
        image.write_bytes(bytes(4 * MiB))
        with open(writer, "a") as file:
            file.write(f'[[disk]]\nfile = "{image}"\n')
    child = spawn("run", "--ram", str(RAM), *options, writer, hog(writer), timeout=300)
    monitor = Monitor(child)
    before = stats(monitor, "writer")
    child.send("vm start writer\r")
    child.expect(r"\[writer is paused: the machine is out of memory")
    short = stats(monitor, "writer")
    assert short["small"] >= 12 and short["folds"] == 0
    assert short["large"] == before["large"]
    monitor.order("vm stop hog --now", r"\[hog was stopped")
    monitor("wait hog ended")
    monitor("vm delete hog")
    after = wait_for(monitor, "writer", lambda now: now["small"] == 0)
    assert after["folds"] == 12 and after["large"] == before["large"] + 12
    assert after["tables"] == short["tables"] - 12 * 4096
    child.send("vm console writer\r")
    child.send("x")
    child.expect(r"every word is what was written: (\d+) wrong")
    assert int(child.match[1]) == 0
    child.expect("PASS rewrite")


def test_H9_a_vm_whose_harts_are_its_own_stays_as_it_is(spawn, toml, hog):
    """It is in small leaves and memory is plentiful: for a large leaf it would have to stand still."""
    alone = toml("alone", kernel=guest("probe"), append="test=rewrite", memory="32M", cpus=1, harts=[1], exclusive=True, autostart=False)
    child = spawn("run", "--ram", str(RAM), "--harts", "2", alone, hog(alone, harts=2), timeout=300)
    monitor = Monitor(child)
    child.send("vm start alone\r")
    child.expect(r"\[alone is paused: the machine is out of memory")
    assert stats(monitor, "alone")["small"] >= 12
    monitor.order("vm stop hog --now", r"\[hog was stopped")
    monitor("wait hog ended")
    monitor("vm delete hog")
    monitor("sleep 3")  # after 2 s at most its turn would have come
    after = stats(monitor, "alone")
    assert after["small"] >= 12 and after["large"] < 12
    assert (after["folds"], after["stopped"]) == (0, 0)


def test_M1_an_eager_vm_has_its_ram_in_leaves_of_a_gigabyte(spawn, toml):
    """The machine's first gigabyte holds the hypervisor; the three others are free and aligned."""
    big = toml("big", kernel=guest("hello"), memory="2050M", eager=True, autostart=False)
    small = toml("small", kernel=guest("tick"), memory="16M")
    child = spawn("run", "--ram", "4096M", "--harts", "2", small, big, timeout=300)
    child.expect("tick 1")
    monitor = Monitor(child)
    got = stats(monitor, "big")
    assert (got["huge"], got["large"], got["small"]) == (2, 1, 0)
    assert got["tables"] == (4 + 1) * 4096
    got = stats(monitor, "small")
    assert got["huge"] == 0 and got["large"] <= 8 and got["folds"] == 0
