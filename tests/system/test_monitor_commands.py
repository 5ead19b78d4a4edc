"""The monitor's commands and the completion of their words."""
import pytest

from test_monitor import ask, leave, monitor  # noqa: F401 (a fixture)


def test_monitor_completes_subcommands_and_vms(monitor):
    monitor.send("vm st\t\t")
    monitor.expect("start  stats  stop  ")
    monitor.send("ats t\t\r")
    monitor.expect("page tables")
    monitor.expect("caisson> ")
    leave(monitor)


def test_monitor_completes_log_levels(monitor):
    monitor.send("log level d\t\r")
    monitor.expect("log level:  debug")
    monitor.send("log level in\t\r")
    monitor.expect("log level:  info")
    monitor.expect("caisson> ")
    leave(monitor)


@pytest.mark.parametrize("line, said", [
    ("hart x", "hart: 'x' is one word too many"),
    ("log level x", "log level: 'x' is not error|warn|info|debug|trace"),
    ("log level info x", "log level: 'x' is one word too many"),
    ("help help x", "help: 'help' has no commands of its own"),
    ("vm stats", "vm stats: VM is missing"),
    ("vm pause tick --json", "vm pause: there is no --json of it"),
])
def test_monitor_refuses_wrong_arguments(monitor, line, said):
    assert said in ask(monitor, line)
    leave(monitor)
