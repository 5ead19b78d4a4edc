"""Every key of a VM's description, with every wrong kind of value; wrong files; what the docs say of the keys."""
import re

import pytest
from caisson import tomlfile, vmconfig, vmdisks
from caisson.errors import Errors, UsageError

from hosttool import ROOT

# One literal of every kind TOML has.
LITERALS = {
    "integer": "7", "negative": "-1", "huge": "99999999999999999999", "fraction": "1.5", "infinity": "inf",
    "true": "true", "false": "false", "string": '"text"', "empty string": '""', "list": "[1]", "empty list": "[]",
    "list of strings": '["text"]', "table": "{a = 1}", "date": "2024-01-01", "time": "07:32:00", "nested list": "[[0]]",
}
# The kinds that a key takes; every other must be refused. (A key that is not here: it may take any.)
TAKES = {
    "name": {"string"}, "cpus": {"integer"}, "memory": set(), "kernel": set(), "initrd": set(), "dtb": set(),
    "append": {"string", "empty string"}, "entry": {"integer"}, "load": {"integer"}, "initrd-load": set(), "dtb-load": set(), "eager": {"true", "false"},
    "format": set(), "harts": {"list"}, "restart": set(), "weight": {"integer"}, "cap": {"integer"}, "autostart": {"true", "false"}, "scrollback": set(), "console": set(), "entropy": {"true", "false"}, "log": {"string"}, "exclusive": {"true", "false"},
    "disk": {"empty list"}, "isa-hide": {"empty list"}, "isa-require": {"empty list"}, "plugin": {"empty list", "list of strings"},
}


def errors_of(tmp_path, content: str | bytes) -> list[str]:
    (tmp_path / "kernel").write_bytes(b"kernel bytes")
    path = tmp_path / "vm.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    errors = Errors(keep=True)
    tomlfile.read(str(path), errors=errors)
    return [str(error).replace(f"{tmp_path}/", "") for error in errors.kept]


@pytest.mark.parametrize("kind", LITERALS)
@pytest.mark.parametrize("key", vmconfig.KEYS)
def test_kinds_of_values(tmp_path, key, kind):
    text = ("" if key == "kernel" else 'kernel = "kernel"\n') + f"\n# a comment\n{key} = {LITERALS[kind]}\n"
    found = errors_of(tmp_path, text)
    if kind in TAKES.get(key, []) or (key not in TAKES and not found):
        assert found == []
        return
    line = text.count("\n")
    assert len(found) == 1 and found[0].startswith(f"vm.toml:{line}: {key} = {LITERALS[kind]}: "), found
    assert not re.search(r"Error|Traceback|object|None", found[0])


@pytest.mark.parametrize("key", vmconfig.KEYS)
@pytest.mark.parametrize("form", ["{key} = 1\n{key} = 1\n", "[{key}]\n", "[[{key}]]\n", "{key}.sub = 1\n", '"{key}" = {{}}\n'])
def test_forms_that_keys_do_not_have(tmp_path, key, form):
    text = ("" if key == "kernel" else 'kernel = "kernel"\n') + form.format(key=key)
    found = errors_of(tmp_path, text)
    if (key, form) == ("net", "[[{key}]]\n"):  # a network device with everything as it is by default
        assert found == []
        return
    assert found and re.match(r"vm\.toml:[123]: ", found[0]), found


FILES = {
    "bom": (b'\xef\xbb\xbfkernel = "kernel"\n', "vm.toml:1: begins with a byte order mark"),
    "utf-16": ('kernel = "kernel"\n'.encode("utf-16"), "vm.toml:1: is UTF-16 text: save it as UTF-8"),
    "latin-1": ('kernel = "kernel"\n\nname = "\xe9"\n'.encode("latin-1"), "vm.toml:3: this is not a TOML file"),
    "nul": (b'kernel = "kernel"\0\n', "vm.toml: this is not a TOML file"),
    "huge": (b"# " + b"x" * (1 << 20), "vm.toml: this is not a TOML file"),
    "empty": (b"", "vm.toml: is empty"),
    "blank": (b"\n \n# nothing\n", "vm.toml: a VM needs a kernel"),
    "crlf": (b'kernel = "kernel"\r\ncpus = 9\r\n', "vm.toml:2: cpus = 9: a VM has 1 to 8 CPUs"),
    "control": (b'kernel = "kernel"\nname = "\x01"\n', "vm.toml:2: "),
    "key in a string": (b'append = """\ncpus = 2\n"""\nkernel = "kernel"\ncpus = 9\n', "vm.toml:5: cpus = 9: a VM has"),
    "key in a list": (b'harts = [\n0,\n]\nkernel = "kernel"\ncpus = 9\n', "vm.toml:5: cpus = 9: a VM has"),
    "key after lists": (b'kernel = "kernel"\nharts = [\n 1,\n 64,\n]\n', "vm.toml:2: harts = [: 64 is not a hart number"),
    "quoted key": (b'kernel = "kernel"\n"cpus" = 9\n', 'vm.toml:2: "cpus" = 9: a VM has'),
    "escaped key": (b'kernel = "kernel"\n"cp\\u0075s" = 9\n', "vm.toml: cpus: a VM has"),
}


@pytest.mark.parametrize("name", FILES)
def test_files(tmp_path, name):
    content, message = FILES[name]
    found = errors_of(tmp_path, content)
    assert len(found) == 1 and found[0].startswith(message), found


def test_many_lines_like_a_key_take_no_time(tmp_path):
    text = 'append = """\n' + "cpus = 1\n" * 20000 + '"""\nkernel = "kernel"\ncpus = 9\n'
    assert any("cpus: a VM has 1 to 8" in error for error in errors_of(tmp_path, text))


def test_without_errors_kept_the_first_is_raised(tmp_path):
    path = tmp_path / "vm.toml"
    path.write_text('foo = 1\ncpus = 9\n')
    with pytest.raises(UsageError, match="vm.toml:1: foo = 1: unknown key"):
        tomlfile.read(str(path))


# --- what the docs say ---


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the first table behind a line that begins with the heading."""
    text = (ROOT / "docs" / page).read_text()
    table = re.search(r"^\|(?:.*\|\n)+", text[text.index(heading):], re.MULTILINE)[0]
    return [[cell.strip() for cell in line.strip("|\n").split("|")] for line in table.splitlines()[2:]]


def test_D2_every_key_is_in_the_table_and_the_other_way_round():
    assert sorted(re.findall(r"`([\w-]+)`", row[0])[0] for row in rows("configuration.md", "| key | type")) == sorted(vmconfig.KEYS)


def test_D2_defaults_of_the_table():
    vm = vmconfig.VmConfig("x")
    said = {re.findall(r"`([\w-]+)`", row[0])[0]: row[2].strip("`") for row in rows("configuration.md", "| key | type")}
    assert said["cpus"] == str(vm.cpus) and said["memory"] == f'"{vm.memory >> 20}M"'
    for key in ("eager", "autostart", "exclusive", "entropy"):
        assert said[key] == str(getattr(vm, key)).lower()
    assert said["scrollback"] == f'"{vm.scrollback >> 10}K"'
    assert said["weight"] == str(vm.weight)
    assert said["console"] == f'"{vm.console}"'
    assert said["restart"] == f'"{vm.restart}"'


def test_D2_properties_of_the_bundle():
    said = {name for row in rows("host.md", "| property | type") for name in re.findall(r"`([\w-]+)`", row[0])}
    assert said == read_properties("config.c")
    said = {name for row in rows("host.md", "| property of a disk") for name in re.findall(r"`([\w-]+)`", row[0])}
    assert said <= read_properties("config_disk.c")


def read_properties(source: str) -> set[str]:
    return set(re.findall(r'^\t\{ "([\w-]+)", (?:read|config_flag)', (ROOT / "vmm" / "image" / source).read_text(), re.MULTILINE))


def test_D2_every_key_of_a_disk_is_in_the_table():
    assert [row[0].strip("`") for row in rows("configuration.md", "| key of a disk")] == list(vmdisks.KEYS)


def test_D2_every_extension_is_in_the_table():
    said = [name for row in rows("configuration.md", "| extensions | hidden") for name in re.findall(r"`(\w+)`", row[0])]
    assert set(said) == {*vmconfig.EXTENSIONS, *vmconfig.NO_GUESTS_EXTENSIONS} - {"i"}


def test_D2_keys_that_are_ours_in_the_page_about_axvisor():
    """What the right-hand columns offer exists, and every key of ours is named."""
    text = (ROOT / "docs" / "axvisor.md").read_text()
    ours = " ".join(line.split("|")[2] for line in text.splitlines() if line.startswith("| `"))
    named = {name for name in re.findall(r"`([a-z-]+)`", ours + text[text.index("Here and not there"):])}
    assert named - {"virt"} <= set(vmconfig.KEYS)
