"""Random bytes: from the machine's seed, from its entropy device, and what guests are given of them."""
import re
import subprocess

import pytest
from machines import batch, caisson, guest

DEVICE = [f"--qemu-arg={word}" for word in ("-global", "virtio-mmio.force-legacy=false", "-object", "rng-builtin,id=rng0",
                                            "-device", "virtio-rng-device,rng=rng0")]


def lines(*words) -> list[str]:
    result = caisson("app", *words, "dice", "4")
    assert result.status == 0, result.err
    return result.text.splitlines()


@pytest.fixture
def unseeded(tmp_path):
    """A machine whose device tree has no seed."""
    path = tmp_path / "machine.dtb"
    subprocess.run(["qemu-system-riscv64", "-M", f"virt,dumpdtb={path}", "-smp", "1", "-m", "256M"], check=True,
                   stdin=subprocess.DEVNULL, capture_output=True)
    subprocess.run(["fdtput", "-d", path, "/chosen", "rng-seed"], check=True)
    return ["--ram", "256M", "--qemu-arg=-dtb", f"--qemu-arg={path}"]


def test_each_run_is_another_one():
    first, second = lines(), lines()
    assert first[0] == second[0] == "seeded: yes"
    assert len({*first[1:], *second[1:]}) == 8


def test_under_icount_all_runs_are_the_same():
    """But for a device, which takes its real time."""
    assert lines("--icount") == lines("--icount")


def test_the_device_changes_them():
    assert lines("--icount") != lines("--icount", *DEVICE)


def test_without_a_seed_the_device_gives_one(unseeded):
    assert lines(*unseeded)[0] == "seeded: no"
    assert lines(*unseeded, *DEVICE)[0] == "seeded: yes"


def test_guests_are_told_in_the_log_when_their_seeds_can_be_guessed(unseeded, tmp_path):
    for words, told in ((unseeded, True), ([], False)):
        log = tmp_path / "log"
        assert batch("--kernel", guest("hello"), "--log", log, *words).status == 0
        assert bool(re.search("guests' seeds can be guessed", log.read_text())) == told
