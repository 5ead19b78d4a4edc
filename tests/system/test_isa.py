"""H12: a VM's description hides ISA extensions of the machine, and says which it needs."""
import re

import pytest

from machines import assert_passed, batch, guest

ALL = "rv64,svpbmt=on,smstateen=on,v=on"
NO_SSTC = "rv64,sstc=off"


def run(toml, append: str, *words, **keys):
    """The probe guest with these keys; `append` says what it is to find."""
    path = toml("isa", kernel=guest("probe"), memory="32M", append=f"test=isa-switches {append}", **keys)
    return batch("--log", path + ".log", *words, path), path + ".log"


def test_H12_nothing_is_hidden(toml):
    result, log = run(toml, "f=on d=on sstc=on zicboz=on zicbom=on zicntr=on v=off svpbmt=on svadu=on ssstateen=on", "--cpu", ALL)
    assert_passed(result)
    text = open(log).read()
    assert re.search(r"host ISA: rv64\w*h.*_sstc", text, re.DOTALL)
    assert re.search(r"isa: guest ISA: rv64imafdc_zicbom_\w*_sstc\w*_svpbmt\r?$", text, re.MULTILINE)


# What is hidden -> what the guest finds.
HIDDEN = [
    (["sstc"], "sstc=off f=on zicboz=on"),
    (["f"], "f=off d=off sstc=on"),
    (["f", "d"], "f=off d=off"),
    (["zicboz"], "zicboz=off zicbom=on"),
    (["zicbom"], "zicbom=off zicboz=on"),
    (["zicntr"], "zicntr=off zicboz=on"),
    (["svpbmt"], "svpbmt=off"),
    (["svadu"], "svadu=off sstc=on"),
    (["ssstateen"], "ssstateen=off svadu=on"),
    (["v", "h"], "v=off f=on"),
    (["sstc", "f", "zicboz", "zicbom", "svpbmt", "svadu", "ssstateen", "v"],
     "f=off d=off sstc=off zicboz=off zicbom=off v=off svpbmt=off svadu=off ssstateen=off"),
]


@pytest.mark.parametrize("hidden, found", HIDDEN, ids=lambda value: "-".join(value) if isinstance(value, list) else "")
def test_H12_hidden(toml, hidden, found):
    result, log = run(toml, found, "--cpu", ALL, **{"isa-hide": hidden})
    assert_passed(result)
    listed = re.search(r"isa: guest ISA: rv64([a-z]+)(\S*)", open(log).read())
    assert not set(hidden) & {*listed[1], *listed[2].split("_")}


def test_H12_each_vm_has_its_own(toml):
    """On one hart, switched between all the time: what one lacks the other has."""
    plain = "zicntr=on f=on d=on sstc=on zicboz=on svpbmt=on ssstateen=on"
    bare = "zicntr=off f=off d=off sstc=off zicboz=off svpbmt=off ssstateen=off"
    hide = ["zicntr", "sstc", "f", "zicboz", "svpbmt", "ssstateen"]
    common = {"kernel": guest("probe"), "memory": "32M"}
    files = [toml(f"a{n}", append=f"test=isa-switches {plain}", **common) for n in range(2)]
    files += [toml(f"b{n}", append=f"test=isa-switches {bare}", **{"isa-hide": hide}, **common) for n in range(2)]
    files += [toml("fp", append="test=fp rounds=2000", **common), toml("timer", append="test=timer", **common)]
    result = batch("--cpu", ALL, *files)
    assert result.status == 0, result.text
    for name in ("a0", "a1", "b0", "b1", "fp", "timer"):
        assert re.search(rf"^\[{name}\] PASS ", result.text, re.MULTILINE), result.text
    assert "FAIL" not in result.text


@pytest.mark.parametrize("test, cpus", [("timer", 1), ("smp fences=5", 4), ("suspend", 1), ("isa", 1)])
def test_H12_without_sstc_the_sbi_timer_serves(toml, test, cpus):
    path = toml("t", kernel=guest("probe"), memory="256M", cpus=cpus, append=f"test={test}", **{"isa-hide": ["sstc"]})
    assert_passed(batch(path, "--harts", 2))


@pytest.mark.parametrize("required, cpu, why", [
    (["sstc"], NO_SSTC, 'this machine has no "sstc" for guests'),
    (["d", "svpbmt"], "rv64", 'this machine has no "svpbmt" for guests'),
    (["ssstateen"], "rv64", 'this machine has no "ssstateen" for guests'),
])
def test_H12_required_but_missing_is_refused(toml, required, cpu, why):
    path = toml("isa", kernel=guest("probe"), memory="32M", append="test=isa", **{"isa-require": required})
    result = batch("--cpu", cpu, path)
    assert result.status == 2 and result.out == b""
    assert f"isa: isa-require: {why}" in result.err


def test_H12_required_and_there(toml):
    path = toml("isa", kernel=guest("probe"), memory="32M", append="test=isa", **{"isa-require": ["i", "sstc", "d", "zicboz"]})
    assert_passed(batch(path))


@pytest.mark.parametrize("hidden, cpus", [(["sstc"], 1), (["sstc", "zicboz", "zicbom", "svadu"], 2)])
def test_H12_debian_boots_with_extensions_hidden(toml, debian, tmp_path, hidden, cpus):
    from caisson import initramfs

    root = tmp_path / "initramfs"
    initramfs.make(root, debian / "busybox", ["grep -m1 isa /proc/cpuinfo", "echo up $(nproc)"])
    path = toml("debian", kernel=debian / "vmlinux", initrd=root, append="console=ttyS0", cpus=cpus, **{"isa-hide": hidden})
    result = batch(path)
    assert result.status == 0 and f"up {cpus}" in result.text, result.err
    isa = re.search(r"^isa\s*: (\S+)", result.text, re.MULTILINE)[1]
    assert not set(hidden) & set(isa.split("_"))
    assert not re.search(r"BUG|Oops|WARNING|call trace|rcu.*stall|unhandled", result.text, re.IGNORECASE)
