"""The monitor's commands and the completion of their words."""
import pytest

from test_monitor import ask, leave, monitor  # noqa: F401 (a fixture)


def test_monitor_completes_subcommands_and_vms(monitor):
    monitor.send("vm st\t\t")
    monitor.expect("start  stats  stop  ")
    monitor.send("ats t\t\r")
    monitor.expect("vCPU 0: ")
    monitor.expect("caisson> ")
    leave(monitor)


def test_monitor_completes_log_levels(monitor):
    monitor.send("log d\t\r")
    monitor.expect("log level: debug")
    monitor.send("log in\t\r")
    monitor.expect("log level: info")
    monitor.expect("caisson> ")
    leave(monitor)


@pytest.mark.parametrize("line", ["hart x", "task x", "mem x", "version x", "log x", "log info x", "help help x"])
def test_monitor_refuses_wrong_arguments(monitor, line):
    assert f"usage: {line.split()[0]}" in ask(monitor, line)
    leave(monitor)
