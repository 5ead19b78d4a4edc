"""D2: the editor's files are JSON, and what they name exists."""
import json
import re
import subprocess

import pytest

from caisson import building, options, packages
from hosttool import ROOT

INPUTS = {"application": "hello"}


def read(name: str) -> dict:
    return json.loads((ROOT / ".vscode" / name).read_text())


def filled_in(text: str) -> str:
    """With the editor's variables replaced. Any other variable is a mistake."""
    text = text.replace("${workspaceFolder}", str(ROOT))
    text = re.sub(r"\$\{input:(\w+)\}", lambda match: INPUTS[match[1]], text)
    assert "${" not in text
    return text


TASKS = {task["label"]: task for task in read("tasks.json")["tasks"]}
LAUNCHES = {launch["name"]: launch for launch in read("launch.json")["configurations"]}


@pytest.mark.parametrize("label", TASKS)
def test_D2_tasks(label):
    command, words = TASKS[label]["command"], [filled_in(word) for word in TASKS[label]["args"]]
    if command == "./caisson":
        parsed = options.parse(words)
        assert parsed.command == words[0]
        assert all((ROOT / file).is_file() for file in getattr(parsed, "files", []))
        assert getattr(parsed, "name", None) in (None, "hello")
    else:
        assert command == "make"
        for target in words:
            assert re.search(rf"^{re.escape(target)}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize("name, variant", [("Hypervisor", building.Variant()), ("Application", building.Variant(app="hello"))])
def test_D2_debug_configurations(name, variant):
    launch = LAUNCHES[name]
    task = TASKS[launch["preLaunchTask"]]
    port = launch["miDebuggerServerAddress"].rpartition(":")[2]
    assert task["isBackground"] and options.parse([filled_in(word) for word in task["args"]]).gdb == port
    assert filled_in(launch["program"]) == str(variant.image.with_suffix(".elf"))
    assert launch["miDebuggerPath"] in packages.GDB.values()
    for command in launch["setupCommands"]:
        assert re.fullmatch(r"source (\S+)", filled_in(command["text"]))
        assert (ROOT / filled_in(command["text"]).split()[1]).is_file()


def test_D2_the_task_is_over_when_the_port_is_about_to_open(tool):
    """The editor attaches when it sees this line."""
    [ends] = {TASKS[launch["preLaunchTask"]]["problemMatcher"]["background"]["endsPattern"] for launch in LAUNCHES.values()}
    result = tool.run("run", "--batch", "--gdb", "4321", "--kernel", "kernel")
    assert re.search(ends, result.stderr.decode(), re.MULTILINE)


def test_D2_code_model():
    [configuration] = read("c_cpp_properties.json")["configurations"]
    assert filled_in(configuration["compileCommands"]) == str(ROOT / "compile_commands.json")
    assert configuration["compilerPath"] == packages.BUILD["gcc-riscv64-unknown-elf"]
    assert f"-std={configuration['cStandard']}" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("words, there, not_there", [
    ([], "vmm/vcpu/exit.c", "apps/hello/main.c"), (["APP=hello"], "apps/hello/main.c", "vmm/vcpu/exit.c")])
def test_D2_the_compilation_database_of_each_image(tmp_path, words, there, not_there):
    out = subprocess.run(["make", "-s", "-C", ROOT, "compile_commands.json", f"DATABASE={tmp_path}/out", *words],
                         stdin=subprocess.DEVNULL, capture_output=True, check=True)
    assert not out.stderr
    entries = json.loads((tmp_path / "out").read_text())
    files = {entry["file"] for entry in entries}
    assert {there, "core/init/boot.c", "arch/riscv64/start.S"} <= files and not_there not in files
    assert all((ROOT / file).exists() or file.startswith("/") for file in files)
