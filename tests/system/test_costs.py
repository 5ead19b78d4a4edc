"""./caisson run --costs: what was executed outside the guest, and for which cause."""
import re

import pytest

import machines
from machines import CAISSON, guest

ROUNDS = 300
MANY = 2000
OWN_BUILD = {"CAISSON_IMAGE": ""}  # not the one that all other tests run


def costs(tmp_path, what, *words, rounds=ROUNDS, lines=()):
    """Of a worker that makes an SBI call, a load and a store of a device's in each round: by cause, and exits by cause."""
    log, script = tmp_path / "log", tmp_path / "script"
    script.write_text("\n".join(["vm start worker", *lines, "wait worker ended", "poweroff"]))
    description = tmp_path / "worker.toml"
    description.write_text(f'name = "worker"\nkernel = "{guest("storm")}"\nappend = "do=work rounds={rounds}"\nmemory = "16M"\n'
                           "autostart = false\n")
    result = machines.run([CAISSON, "run", "--batch", "--icount", "--quiet", "--costs", what, "--script", script, "--log", log, *words,
                           description], environment=OWN_BUILD)
    assert result.status == 0 and f"worked {rounds} rounds" in result.text, result.err[-2000:]
    instructions, exits = (dict((name, int(number)) for name, number in re.findall(r"([a-z-]+)=(\d+)", line))
                           for line in (re.search(f"worker: {kind}.*", log.read_text())[0] for kind in ("instructions outside", "used")))
    return instructions, exits


def test_causes_come_to_what_the_plain_build_takes(tmp_path):
    whole, exits = costs(tmp_path, "total")
    assert whole.keys() == {"all"} and exits["ecall"] >= ROUNDS
    parts, same_exits = costs(tmp_path, "causes")
    assert abs(exits["ecall"] - same_exits["ecall"]) <= 2 and exits["mmio-read"] == same_exits["mmio-read"]
    total = sum(parts.values()) - parts["all"]
    assert abs(total - whole["all"]) < 0.03 * whole["all"], (parts, whole)
    assert total < parts["all"]  # which has what counting itself takes


def test_a_cause_takes_what_its_exits_take(tmp_path):
    few, few_exits = costs(tmp_path, "causes")
    many, exits = costs(tmp_path, "causes", rounds=MANY)
    for cause, most in (("ecall", 400), ("mmio-read", 200), ("mmio-write", 1000)):
        more = exits[cause] - few_exits[cause]
        assert more >= MANY - ROUNDS, cause
        assert 40 < (many[cause] - few[cause]) / more < most, cause
    assert many["ram-fault"] == pytest.approx(few["ram-fault"], rel=0.02)


def test_what_others_do_meanwhile_is_no_cause_s(tmp_path):
    alone, _ = costs(tmp_path, "causes")
    beside, _ = costs(tmp_path, "causes", lines=["help"] * 20)
    assert beside["host"] > 2 * alone["host"] + 1_000_000
    for cause in ("ecall", "mmio-read", "mmio-write", "ram-fault"):
        assert beside[cause] == pytest.approx(alone[cause], rel=0.1, abs=10_000), cause


def test_a_machine_that_cannot_count_is_refused(tmp_path):
    result = machines.batch("--costs", "causes", "--cpu", "rv64,sscofpmf=off", "--kernel", guest("hello"), environment=OWN_BUILD)
    assert result.status == 3 and "Sscofpmf" in result.err
