"""The monitor's scripts: order, waiting, failing, beside the prompt."""
import json
import re

import pytest

from machines import ROOT, batch, guest
from prompt import PROMPT, end_of_run, to_monitor


@pytest.fixture
def script(tmp_path, toml):
    """Run lines in --batch beside the VM `tick`."""
    def run(*lines, **options):
        path = tmp_path / "script.txt"
        path.write_text("\n".join(lines))
        tick = toml("tick", kernel=guest("tick"), memory="16M", **options)
        return batch("--script", path, tick)

    return run


def test_script_runs_in_order(script):
    result = script("# comment", "echo one  'two  words'", "vm pause tick", "wait tick paused 300", "- vm pause tick",
                    "sleep 0.05", "vm resume tick", "vm stop tick --now", "wait tick ended 300", "vm delete tick",
                    "wait tick deleted", "vm create tick", "wait tick created", "vm start tick", "wait tick running",
                    "echo last", "poweroff")
    assert result.status == 0, result.err
    assert result.err.splitlines() == ["one two  words", "cannot pause tick: it is paused", "last"]


def test_script_starts_a_vm_and_holds_the_machine(script):
    """No VM runs when it begins, and none when it ends."""
    result = script("sleep 0.1", "vm start tick", "wait tick running", "vm stop tick --now", "wait tick stopped", "echo there",
                    autostart=False)
    assert result.status == 0 and result.err == "there\n"


@pytest.mark.parametrize("line, said", [
    ("vm pause nobody", "no VM 'nobody'; there is tick (0)"),
    ("frobnicate", "unknown command 'frobnicate'"),
    ("wait tick paused 0.1", "wait: tick is running after 0.1 s"),
    ("wait tick flying", "wait: 'flying' is not created|"),
    ("sleep forever", "'forever' is not a number of seconds"),
])
def test_script_ends_with_the_first_line_that_fails(script, line, said):
    result = script("echo begins", "", line, "echo not reached")
    lines = result.err.splitlines()
    assert result.status == 1
    assert lines[0] == "begins" and lines[1].startswith(said)
    assert "script.txt:3: " in lines[-1] and lines[-1].endswith(f"'{line}' failed; the script ends here")
    assert "not reached" not in result.err


def test_script_json_is_one_document(script):
    result = script("vm list --json", "poweroff")
    (tick,) = json.loads(result.err)
    assert tick["name"] == "tick" and tick["memory"] == 16 << 20


def test_waiting_commands_leave_the_keys_alone(spawn, toml):
    """Ctrl-C ends a wait; what else is typed meanwhile is read afterwards."""
    child = spawn("run", "--quiet", toml("tick", kernel=guest("tick"), memory="16M"))
    child.expect("tick 1")
    to_monitor(child)
    child.send("sleep 0.5\recho typed ahead\r")
    child.expect(r"\ntyped ahead\r")
    child.send("sleep 1000\r")
    child.expect(r"\r\n")
    child.send("\x03")
    child.expect(PROMPT)
    child.send("wait tick paused 1000\r")
    child.expect(r"\r\n")
    child.send("\x03")
    child.expect(PROMPT)
    child.send("echo over\r")
    child.expect(r"\nover\r")


def test_the_machine_ends_while_a_command_waits(spawn, toml, tmp_path):
    path = tmp_path / "script.txt"
    path.write_text("wait tick paused 300\npoweroff\n")
    child = spawn("run", "--quiet", "--script", path, toml("tick", kernel=guest("tick"), memory="16M"))
    child.expect("tick 1")
    to_monitor(child)
    child.send("vm pause tick\rsleep 1000\r")
    assert end_of_run(child) == 0


def test_script_runs_beside_the_prompt(spawn, toml, tmp_path):
    """Both pause and resume the same VM, over and over, from the first typed pause on; both get to their end."""
    path = tmp_path / "race.txt"
    path.write_text("wait tick paused 300\n" + "- vm pause tick\n- vm resume tick\n" * 1000 + "- vm resume tick\necho script done\n")
    child = spawn("run", "--quiet", "--harts", "2", "--script", path, toml("tick", kernel=guest("tick"), memory="16M"))
    child.expect("tick 1")
    to_monitor(child)
    for _ in range(60):
        child.send("vm pause tick\rvm list\rvm resume tick\r")
    child.send("echo all typed\r")
    ends = [r"\nall typed\r", "script done"]
    first = child.expect(ends)
    child.expect(ends[1 - first])
    child.send("\r- vm resume tick\rvm resume tick\rvm list\r")
    child.expect(r"tick +running")
    child.send("poweroff\r")
    child.expect("\n")
    assert end_of_run(child) == 0


def test_docs_list_every_command(script):
    """docs/monitor.md's table has the names and arguments that `help --json` has."""
    said = json.loads(script("help --json", "poweroff").err)
    text = (ROOT / "docs" / "monitor.md").read_text().replace("\\|", "\0")
    rows = re.findall(r"^\| `([a-z -]+)` \| (?:`(.*)`)? \| .* \|$", text, re.MULTILINE)
    documented = [tuple(cell.replace("\0", "|") for cell in row) for row in rows]
    assert documented == [(row["name"], row["usage"]) for row in said]
