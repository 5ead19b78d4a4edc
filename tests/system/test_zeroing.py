"""Zeroing by a device (fw-cfg) and by harts: no guest finds what another one left, and the device is really used."""
import re

import pytest

from caisson.machine import WITHOUT_ENGINE
from machines import batch, guest
from test_devicetree import tree  # noqa: F401 (a fixture)
from test_rounds import ROUND, scripted  # noqa: F401 (a fixture)

WITHOUT = list(WITHOUT_ENGINE)
ENGINE = pytest.mark.parametrize("machine", [[], WITHOUT], ids=["by-device", "by-harts"])
FRESH = "words that were not zero: 0\n"
AT_ONCE = {"stop-timeout": 0}


def zeroed(err: str) -> list[int]:
    """What `mem --json` said of the device, each time."""
    return [int(n) for n in re.findall(r'"zeroed": (\d+)', err)]


@ENGINE
@pytest.mark.parametrize("kind", ["reset", "delete-create", "stop-start"])
def test_H13_no_guest_finds_what_another_left(scripted, toml, machine, kind):  # noqa: F811
    """All but a guest's first 4 MiB and its end is written and looked at."""
    vm = toml("v", kernel=guest("probe"), append="test=dirty then=spin mib=9", memory="16M", **AT_ONCE)
    round_ = [line.replace("0.004", "0.04") for line in ROUND[kind]]
    result = scripted(["sleep 0.04", "mem --json", *round_ * 20, "mem --json", "vm stop v", "wait v ended", "poweroff"], vm, *machine)
    assert result.text == ("test dirty\n" + FRESH) * 21
    before, after = zeroed(result.err)
    if machine:
        assert after == 0
    else:
        assert before >= 10 << 20
        assert after - before >= 20 * 4 << 20, "the stock has 64 MiB at most, also by the device"


@ENGINE
def test_H13_four_at_once_on_four_harts(spawn, toml, machine):
    """Their touches meet, and only one hart has the device."""
    files = [toml(name, kernel=guest("probe"), append="test=dirty mib=40", memory="48M") for name in "abcd"]
    child = spawn("run", "--batch", "--harts", 4, *files, *machine)
    seen = dict.fromkeys("abcd", 0)
    while min(seen.values()) < 3:
        child.expect(r"\[([abcd])\] words that were not zero: (\d+)\r?\n")
        name, wrong = child.match.groups()
        assert wrong == b"0"
        seen[name.decode()] += 1


@ENGINE
def test_all_of_an_eager_vm(tmp_path, toml, machine):
    """1 GiB leaves go to it in pieces of its own size."""
    script, log = tmp_path / "script", tmp_path / "log"
    script.write_text("mem --json\nwait v ended\npoweroff\n")
    vm = toml("v", kernel=guest("probe"), append="test=zeroed", eager=True, memory="64M")
    result = batch("--icount", "--script", script, "--log", log, vm, *machine)
    assert result.status == 0 and "PASS zeroed" in result.text
    assert (zeroed(result.err)[0] >= 62 << 20) == (not machine)
    assert ("fw-cfg zeroes blocks" in log.read_text()) == (not machine)


@pytest.mark.parametrize("change", ["-r /fw-cfg@10100000", "-ts /fw-cfg@10100000 status disabled",
                                    "-ts /fw-cfg@10100000 dma-noncoherent ok"], ids=lambda words: words.split()[-1])
def test_a_tree_without_the_device(tmp_path, toml, tree, change):  # noqa: F811
    script, log = tmp_path / "script", tmp_path / "log"
    script.write_text("wait v ended\nmem --json\npoweroff\n")
    vm = toml("v", kernel=guest("probe"), append="test=zeroed", memory="64M")
    result = batch("--script", script, "--log", log, vm, *tree(change))
    assert result.status == 0 and "PASS zeroed" in result.text
    assert zeroed(result.err) == [0]
    assert "warn" not in log.read_text(), log.read_text()


def test_a_device_that_is_none(tmp_path, tree):  # noqa: F811
    """The clock's registers instead: one line, and the boot goes on."""
    log = tmp_path / "log"
    result = batch("--kernel", guest("probe"), "--append", "test=zeroed", "--log", log,
                   *tree("-tx /fw-cfg@10100000 reg 0 101000 0 1000"))
    assert result.status == 0 and "PASS zeroed" in result.text
    said = [line for line in log.read_text().splitlines() if "warn" in line]
    assert len(said) == 1 and "fw-cfg" in said[0], said
