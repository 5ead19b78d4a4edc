"""The monitor's commands and the completion of their words."""
import json

import pytest

from machines import batch, guest
from prompt import PROMPT
from test_monitor import leave, monitor  # noqa: F401 (a fixture)


def test_monitor_completes_subcommands_and_vms(monitor):
    monitor.send("vm st\t\t")
    monitor.expect("start  stats  stop  ")
    monitor.send("ats t\t\r")
    monitor.expect("page tables")
    monitor.expect(PROMPT)
    leave(monitor)


def test_monitor_completes_log_levels(monitor):
    monitor.send("log level d\t\r")
    monitor.expect("log level:  debug")
    monitor.send("log level in\t\r")
    monitor.expect("log level:  info")
    monitor.expect(PROMPT)
    leave(monitor)


# What a word of a usage line may be, and what is said of a wrong one.
GOOD = {"VM": "tick", "NAME": "absent", "SECONDS": "0", "N": "1", "FOLDER": "vm", "FILE": "script", "WORD": "x",
        "COMMAND": "help", "COMPONENT": "vm"}
HUGE = "9" * 40
WRONG = {
    "VM": [("nobody", "nobody"), ("", "no VM ''"), ("99999999999999999999", "99999999999999999999"), ("-1", "-1"),
           ("tick;reboot", "tick;reboot"), ("x" * 100, "x" * 100)],
    "N": [("0", "'0' is not a number"), ("-1", "'-1' is not"), (HUGE, f"'{HUGE}' is not"), ("1x", "'1x' is not"), ("", "'' is not")],
    "SECONDS": [("-1", "'-1' is not"), ("1e9", "'1e9' is not"), (HUGE, f"'{HUGE}' is not"), ("", "'' is not")],
    "FOLDER": [("nowhere", "'nowhere'"), ("../..", "'../..'")],
    "FILE": [("nowhere", "'nowhere'"), ("vm/0.dtb", "is not text"), ("", "''")],
    "COMMAND": [("nonsense", "'nonsense'")],
    "NAME": [("tick", "tick"), ("absent", "absent"), ("", ""), ("x" * 100, "x" * 100)],
}
# Any word will do for these.
FREE = {"WORD", "COMPONENT"}
# They end the machine or the wait for the answer.
SPECIAL = {"poweroff", "vm console", "top"}


def command_table(script) -> list[dict]:
    return json.loads(script("help --json"))


@pytest.fixture
def script(tmp_path, toml):
    """Run lines in --batch, each with a - so that all are run, and give back what was said."""
    def run(*lines):
        path = tmp_path / "script.txt"
        path.write_text("\n".join([*(f"- {line}" for line in lines), "poweroff"]))
        result = batch("--script", path, toml("tick", kernel=guest("tick"), memory="16M"))
        assert result.status == 0, result.err
        return result.err

    return run


def words_of(usage: str) -> list[tuple[str, bool]]:
    """A usage line's words, each with whether it may be left out; --json is left out."""
    return [(word.strip("[]").removesuffix("..."), word.startswith("[")) for word in usage.split() if word != "[--json]"]


def quoted(word: str) -> str:
    return f"'{word}'"


def bad_lines(command: dict) -> list[tuple[str, str]]:
    """Lines that are wrong in one way each, and what must be said of each."""
    name, words = command["name"], words_of(command["usage"])
    good = [GOOD.get(word, word.split("|")[0]) for word, _ in words]
    lines = []
    for index, (word, optional) in enumerate(words):
        before = [name, *good[:index]]
        if not optional:
            lines.append((" ".join(before), f"{name}: {word} is missing"))
        if word[0].islower():
            lines.append((" ".join([*before, "zzz"]), f"{name}: 'zzz' is not {word}"))
        for wrong, said in [] if word in FREE else WRONG.get(word, []):
            if optional or index + 1 == len(words) or words[index + 1][1]:
                lines.append((" ".join([*before, quoted(wrong)]), said))
    if "..." not in command["usage"]:
        lines.append((" ".join([name, *good, "surplus"]), f"{name}: 'surplus' is one word too many"))
    if "--json" not in command["usage"]:
        lines.append((" ".join([name, *good, "--json"]), f"{name}: there is no --json of it"))
    return lines


def test_every_command_names_the_word_that_is_wrong(script):
    """One run for all: a marker line after each command parts the answers."""
    lines = [pair for command in command_table(script) if command["name"] not in SPECIAL for pair in bad_lines(command)]
    assert len(lines) > 60
    typed = [line for pair in lines for line in (pair[0], "echo =====")]
    answers = script(*typed).split("=====\n")
    silent = [(line, said, answer) for (line, said), answer in zip(lines, answers)
              if said not in answer or not answer.strip()]
    assert not silent


@pytest.mark.parametrize("line", ["vm console", "vm console nobody", "poweroff now", "top 0", "top nonsense", "top --json"])
def test_the_others_too(script, line):
    assert script(line).strip() != ""


def test_every_listing_is_json(script):
    """And so is what is said of a line that is wrong."""
    commands = [command for command in command_table(script) if "--json" in command["usage"]]
    typed, wrong = [], []
    for command in commands:
        words = [GOOD.get(word, word.split("|")[0]) for word, optional in words_of(command["usage"])
                 if not optional or command["name"] == "top"]
        typed.append(" ".join([command["name"], *words, "--json"]))
        if "..." not in command["usage"]:
            wrong.append(" ".join([command["name"], *words, "surplus", "more", "--json"]))
    answers = script(*(line for pair in [*typed, *wrong] for line in (pair, "echo ====="))).split("=====\n")
    assert len(commands) > 10
    for line, answer in zip([*typed, *wrong], answers):
        document = json.loads(answer)
        assert ("error" in document) == (line in wrong), line


def test_odd_lines(monitor):
    for line, said in [("vm 'list", "a quote is not closed"), ('echo "', "a quote is not closed"),
                       ("a " * 100, "a line has at most 16 words"), ("x" * 400, "unknown command 'xxx"),
                       ("vm\tlist", "tick"), ("vm \x00\x1f\xfflist", "tick"), ("''", "unknown command ''"),
                       ("--json", "unknown command '--json'"), ("vm --json", "vm list")]:
        monitor.send(line + "\r")  # not ask: the terminal does not show such lines as they are
        monitor.expect(PROMPT)
        assert said in monitor.before, line
    leave(monitor)
