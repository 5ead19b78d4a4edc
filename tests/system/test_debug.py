"""D1: gdb from the first instruction on, what our gdb commands show, and what --log-level and --debug change."""
import json
import re
import socket

import pytest

from machines import PATIENCE, ROOT, caisson, guest, kill_all, run, start


def free_port() -> int:
    """Tests run side by side."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def gdb(words: list, commands: list) -> str:
    """What gdb and the machine print for `./caisson debug WORDS`, driven by a script."""
    what = words[: words[0] == "app"]
    script = [word for command in commands for word in ("-ex", command)]
    for _ in range(5):
        result = caisson("debug", *what, "--gdb", free_port(), *words[len(what):], "--", "-batch", *script)
        if "Address already in use" not in result.err:  # another test was sooner
            break
    assert "Error occurred in Python" not in result.err, result.err
    return result.text + result.err


def test_D1_an_application_stops_at_its_first_instruction_and_at_main():
    out = gdb(["app", "hello"], ["caisson start", "print $pc", "break main", "continue", "backtrace"])
    first, _, rest = out.partition("Breakpoint 2 ")
    assert re.search(r"breakpoint 1, _start \(\) at arch/riscv64/start\.S:\d+", first)
    assert re.search(r"\$1 = .*0x80200000 <_start>", first)
    assert re.search(r"Breakpoint 2.*, main \(\) at apps/hello/main\.c:\d+", rest)
    assert re.search(r"#0 +main \(\) at apps/hello/main\.c:\d+\n#1 .* in kernel_main \(\) at core/init/boot\.c:\d+\n"
                     r"#2 .*boot_entry \(.*\) at core/init/boot\.c:\d+\n#3 .* at arch/riscv64/start\.S:\d+", rest)


def test_D1_a_backtrace_from_inside_a_component():
    out = gdb(["app", "heap"], ["break kalloc", "continue", "backtrace"])
    assert re.search(r"#0 +kalloc \(.*\) at core/mm/heap\w*\.c:\d+", out)
    assert re.search(r"in boot_entry|boot_entry \(", out)


def test_D1_the_hypervisor_stops_at_its_first_instruction_and_at_main():
    out = gdb(["--kernel", guest("hello")], ["caisson start", "break main", "continue", "backtrace"])
    assert re.search(r"breakpoint 1, _start \(\) at arch/riscv64/start\.S:\d+", out)
    assert re.search(r"Breakpoint 2.*, main \(\) at apps/hypervisor/main\.c:\d+", out)


def test_D1_harts_and_tasks():
    out = gdb(["app", "--harts", "2", "harts"], ["break main", "continue", "caisson harts", "caisson tasks bt"])
    table = out.partition("hart    id")[2]
    assert re.search(r"^ +\d+ +\d+ +yes +main +main \(apps/harts/main\.c:\d+\)$", table, re.MULTILINE)
    assert re.search(r"^ +\d+ +\d+ +yes +idle ", table, re.MULTILINE)
    tasks = table.partition("kind\n")[2]
    assert re.search(r"^ +\d+ +main +running +\d+ +task$", tasks, re.MULTILINE)
    sleeper = re.search(r"^ +\d+ +gc +blocked .*\n((?:#.*\n)+)", tasks, re.MULTILINE)
    assert re.search(r"^#\d+ .* gc_loop \(.*\) at core/task/gc\.c:\d+$", sleeper[1], re.MULTILINE)


def test_D1_looking_at_tasks_changes_nothing():
    out = gdb(["app", "--harts", "2", "harts"], ["break main", "continue", "caisson tasks bt", "info registers pc sp ra s0 s11",
                                                 "caisson tasks bt", "info registers pc sp ra s0 s11", "kill"])
    shown = re.findall(r"^(pc|sp|ra|s0|fp|s11) +(0x\S+)", out, re.MULTILINE)
    assert len(shown) == 10 and shown[:5] == shown[5:]


def test_D1_vms():
    out = gdb(["--harts", "1", "--kernel", guest("tick"), "--cpus", "2", "--memory", "32M"],
              ["break vcpu_exit_store_fault", "continue", "continue 3", "backtrace 1", "caisson vms", "caisson tasks"])
    assert re.search(r"#0 +vcpu_exit_store_fault \(.*\) at vmm/vcpu/mmio\.c:\d+", out)
    assert "VM 0 guest: running, 32 MiB, 1 of 2 vCPUs active" in out
    assert re.search(r"^  vCPU 0: started, in the guest on hart 0, [1-9]\d* exits", out, re.MULTILINE)
    assert re.search(r"^  vCPU 1: stopped, -, 0 exits", out, re.MULTILINE)
    assert re.search(r"guest/0 +running +0 +vcpu", out)


def test_D1_while_a_guest_runs():
    """One hart is at the guest's first instruction and sees its memory, the other is in the kernel."""
    at_guest = ["break vm_start", "continue", "hbreak *0x80200000", "continue"]
    commands = [*at_guest, "print $pc", "caisson harts", "caisson vms", "info registers sp", "caisson tasks bt", "info registers sp"]
    for _ in range(5):  # the other hart may be in the firmware just then
        out = gdb(["--harts", "2", "--kernel", guest("tick")], commands)
        if "no hart sees the kernel's memory now" not in out:
            break
    assert re.search(r"\$1 = .*0x80200000", out)
    assert re.search(r"guest/0 +not in the kernel", out)
    assert re.search(r"vCPU 0: started, in the guest on hart \d, ", out)
    assert re.search(r"gc_loop \(.*\) at core/task/gc\.c:\d+", out)
    assert len(set(re.findall(r"^sp +(0x\w+)", out, re.MULTILINE))) == 1
    out = gdb(["--harts", "1", "--kernel", guest("tick")], [*at_guest, "caisson harts"])
    assert "no hart sees the kernel's memory now" in out


def test_D1_what_an_image_lacks_is_said():
    result = caisson("debug", "app", "hello", "--", "-batch", "-ex", "break main", "-ex", "continue",
                     "-ex", "caisson tasks")
    assert "this image has no tasks" in result.err


@pytest.mark.parametrize("words, message", [(["app"], "which application?"), (["app", "nosuch"], "nosuch: no such application")])
def test_D1_wrong_words(words, message):
    result = caisson("debug", *words)
    assert result.status == 2 and message in result.err


@pytest.fixture
def log(tmp_path):
    """The log of one run."""
    def log(*words) -> str:
        result = caisson(*words, "--batch", "--kernel", guest("hello"), "--log", tmp_path / "log")
        assert result.status == 0, result.err
        return (tmp_path / "log").read_text(errors="replace")

    return log


def levels(text: str) -> set[str]:
    return set(re.findall(r"^\[ *\d+\.\d+\] \d+ (\w+) ", text, re.MULTILINE))


def test_D1_log_levels_take_effect(log):
    assert not levels(log("run", "--log-level", "error"))
    assert levels(log("run", "--log-level", "info")) == {"info"}
    text = log("run", "--harts", "2", "--log-level", "debug")
    assert levels(text) == {"info", "debug"}
    for component in ("boot", "driver", "smp", "vm"):
        assert re.search(rf" debug {component}: ", text), component


def test_D1_debug_is_another_build_and_says_so(log, tmp_path):
    assert "debug build" not in log("run")
    result = caisson("app", "--debug", "--log", tmp_path / "log", "hello")
    text = (tmp_path / "log").read_text(errors="replace")
    assert result.status == 0 and "boot: debug build" in text and "debug" in levels(text)
    assert (ROOT / "build" / "apps" / "hello+DEBUG-y" / "caisson.elf").exists()


def editor_file(name: str) -> dict:
    return json.loads((ROOT / ".vscode" / name).read_text().replace("${workspaceFolder}", str(ROOT))
                      .replace("${input:application}", "hello"))


def test_D2_the_editor_attaches_to_what_its_task_starts():
    """What the editor does with launch.json and tasks.json, on another port."""
    launch = next(one for one in editor_file("launch.json")["configurations"] if one["name"] == "Application")
    task = next(one for one in editor_file("tasks.json")["tasks"] if one["label"] == launch["preLaunchTask"])
    port = str(free_port())
    machine = start([ROOT / task["command"], *(port if word == "1234" else word for word in task["args"])])
    try:
        ready = task["problemMatcher"]["background"]["endsPattern"]
        assert any(re.match(ready, line.decode()) for line in machine.stderr)
        setup = [word for command in launch["setupCommands"] for word in ("-ex", command["text"])]
        result = run([launch["miDebuggerPath"], "-q", "-batch", launch["program"], *setup,
                      "-ex", f"target remote localhost:{port}", "-ex", "break main", "-ex", "continue", "-ex", "caisson harts"])
        assert re.search(r"Breakpoint 1, main \(\) at apps/hello/main\.c:\d+", result.text), result.err
        assert re.search(r" main \(apps/hello/main\.c:\d+\)$", result.text, re.MULTILINE)
        out, _ = machine.communicate(timeout=PATIENCE)  # gdb has gone: the program goes on
        assert machine.returncode == 0 and out == b"hello from Caisson\n"
    finally:
        kill_all(machine)
