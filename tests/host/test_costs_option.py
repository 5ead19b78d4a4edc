"""./caisson run --costs: the build and the machine that can count."""
import pytest

from caisson import costs, machine, platforms
from caisson.errors import Errors


def complaints(plan, wanted):
    errors = Errors(keep=True)
    assert costs.machine_for(plan, wanted, errors) == plan
    return [str(error) for error in errors.kept]


def test_nothing_is_counted_if_nobody_asks():
    assert costs.switches(None) == [] and complaints(machine.Machine(), None) == []


@pytest.mark.parametrize("wanted, switch", [("total", "COSTS=y"), ("causes", "COSTS_BY_CAUSE=y")])
def test_the_build_counts_and_the_machine_has_the_counter(wanted, switch):
    assert costs.switches(wanted) == [switch]
    assert costs.machine_for(machine.Machine(), wanted, Errors()).cpu == "rv64,sscofpmf=on"
    assert costs.machine_for(machine.Machine(cpu="rv64,sstc=off"), wanted, Errors()).cpu == "rv64,sstc=off,sscofpmf=on"


def test_what_is_said_of_the_counter_stands():
    assert costs.machine_for(machine.Machine(cpu="rv64,sscofpmf=off"), "total", Errors()).cpu == "rv64,sscofpmf=off"


def test_another_word_is_named():
    assert complaints(machine.Machine(), "cause") == ["--costs cause: not one of total, causes"]


def test_a_machine_whose_cpus_are_what_they_are_is_refused():
    fixed = [platforms.read(name) for name in platforms.names() if platforms.read(name).cpu is None]
    for platform in fixed:
        assert platform.name in complaints(machine.Machine(platform=platform), "total")[0]


def test_a_bad_word_on_the_command_line(tool):
    result = tool.run("run", "--check", "--costs", "cause", "--kernel", __file__)
    assert result.returncode == 2 and b"--costs cause" in result.stderr
