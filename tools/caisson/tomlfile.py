"""Reading a VM's description from a TOML file. Messages name the file, the line and the line's text."""
import difflib
import os
import re
import tomllib
from pathlib import Path

from caisson import images, vmconfig
from caisson.errors import UsageError

_LARGEST = 1 << 20
NOT_YET = {
    "disk": "virtual disks are not there yet",
    "disks": "virtual disks are not there yet",
    "net": "virtual networks are not there yet",
}


def read(path: str, locate=None) -> vmconfig.VmConfig:
    """One file describes one VM."""
    text = _read_text(path)
    values = _parse(path, text)
    quotes = {key: _quote(path, text, key) for key in values}
    for key in values:
        if key not in vmconfig.KEYS:
            raise UsageError(f"{quotes[key]}: {_explain_unknown(key)}")
    source = vmconfig.Source(origin=path, quotes=quotes, folder=os.path.dirname(path))
    return vmconfig.build(values, source, default_name=Path(path).stem, locate=locate)


def _read_text(path: str) -> str:
    try:
        data = images.read(path)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None
    hint = "this is not a TOML file (a kernel is given with --kernel FILE)"
    if len(data) > _LARGEST or b"\0" in data:
        raise UsageError(f"{path}: {hint}")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(f"{path}:{line}: {hint}: it is not UTF-8 text") from None


def _parse(path: str, text: str) -> dict:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        match = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
        line = int(match[1]) if match and match[1] else text.count("\n") + 1
        reason = message[: match.start()] if match else message
        raise UsageError(f"{path}:{line}: {_line(text, line)}: {reason}") from None
    except RecursionError:
        raise UsageError(f"{path}: nested too deeply") from None
    except ValueError as error:  # numbers beyond Python's digit limit, impossible dates
        raise UsageError(f"{path}: {error}") from None


def _line(text: str, number: int) -> str:
    lines = text.splitlines()
    return lines[number - 1].strip() if 0 < number <= len(lines) else "end of file"


def _quote(path: str, text: str, key: str) -> str:
    """'vm.toml:3: cpus = 9' for the line that sets the key."""
    name = re.escape(key)
    pattern = rf"""^[ \t]*(\[+[ \t]*)?(?:{name}|"{name}"|'{name}')[ \t]*[.=\]]"""
    match = re.search(pattern, text, re.MULTILINE)
    if not match:
        return f"{path}: {key}"
    number = text.count("\n", 0, match.start()) + 1
    return f"{path}:{number}: {_line(text, number)}"


def _explain_unknown(key: str) -> str:
    if key in NOT_YET:
        return NOT_YET[key]
    near = difflib.get_close_matches(key, vmconfig.KEYS, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else f"; the keys are {', '.join(vmconfig.KEYS)}"
    return f"unknown key {key!r}{hint}"
