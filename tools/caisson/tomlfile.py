"""Reading a VM's description from a TOML file. Messages name the file, the line and the line's text."""
import codecs
import difflib
import itertools
import os
import re
import tomllib
from pathlib import Path

from caisson import images, vmconfig
from caisson.errors import Errors, UsageError

_LARGEST = 1 << 20
_CANDIDATES = 20  # lines that look as if they set a key


def read(path: str, locate=None, errors: Errors | None = None) -> vmconfig.VmConfig | None:
    """One file describes one VM. None: its text is not TOML, which `errors` keeps."""
    errors = errors or Errors()
    try:
        text = _read_text(path)
        values = _parse(path, text)
    except UsageError as error:
        errors.add(error)
        return None
    quotes = {key: _quote(path, text, key) for key in values}
    for name in ("channel", "disk", "net"):
        _quote_tables(path, text, name, values.get(name), quotes)
    for key in [key for key in values if key not in vmconfig.KEYS]:
        errors.add(UsageError(f"{quotes[key]}: {_explain_unknown(key)}"))
        del values[key]
    source = vmconfig.Source(origin=path, quotes=quotes, folder=os.path.dirname(path))
    return vmconfig.build(values, source, default_name=Path(path).stem, locate=locate, errors=errors)


def _read_text(path: str) -> str:
    try:
        data = images.read(path)
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None
    hint = "this is not a TOML file (a kernel is given with --kernel FILE)"
    if data.startswith(codecs.BOM_UTF8):
        raise UsageError(f"{path}:1: begins with a byte order mark: save it as plain UTF-8")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise UsageError(f"{path}:1: is UTF-16 text: save it as UTF-8")
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


def _pattern(key: str) -> str:
    name = re.escape(key)
    return rf"""^[ \t]*(\[+[ \t]*)?(?:{name}|"{name}"|'{name}')[ \t]*[.=\]]"""


def _quote(path: str, text: str, key: str) -> str:
    """'vm.toml:3: cpus = 9' for the line that sets the key."""
    for match in itertools.islice(re.finditer(_pattern(key), text, re.MULTILINE), _CANDIDATES):
        if _is_statement(text[: match.start()]):
            number = text.count("\n", 0, match.start()) + 1
            return f"{path}:{number}: {_line(text, number)}"
    return f"{path}: {key}"


def _is_statement(before: str) -> bool:
    """Whether a statement can follow: otherwise this is a line within a string or a list."""
    try:
        tomllib.loads(before)
        return True
    except (ValueError, RecursionError):
        return False


def _quote_tables(path: str, text: str, name: str, tables, quotes: dict[str, str]) -> None:
    """The same for [[name]] tables: keys name.0, name.0.key ... Tables written otherwise have the whole key's line."""
    if not isinstance(tables, list):
        return
    lines = text.splitlines()
    looks = (n for n, line in enumerate(lines) if re.match(rf"\s*\[\[\s*{name}\s*\]\]", line))
    heads = [n for n in itertools.islice(looks, _CANDIDATES) if _is_statement("\n".join(lines[:n]))]
    for index, table in enumerate(tables):
        place = f"{name}.{index}"
        quotes[place] = f"{path}:{heads[index] + 1}: {lines[heads[index]].strip()}" if index < len(heads) else quotes[name]
        for key in table if isinstance(table, dict) else ():
            quotes[f"{place}.{key}"] = quotes[place]
            if index < len(heads) and (line := _line_of(lines, heads[index] + 1, key)):
                quotes[f"{place}.{key}"] = f"{path}:{line}: {lines[line - 1].strip()}"


def _line_of(lines: list[str], start: int, key: str) -> int | None:
    """The number of the line that sets the key in the table whose first line is lines[start]."""
    for number, line in enumerate(lines[start:], start + 1):
        if line.lstrip().startswith("["):
            return None
        if re.match(_pattern(key), line):
            return number
    return None


def _explain_unknown(key: str) -> str:
    near = difflib.get_close_matches(key, vmconfig.KEYS, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else f"; the keys are {', '.join(vmconfig.KEYS)}"
    return f"unknown key {key!r}{hint}"
