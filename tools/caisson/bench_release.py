"""Figures of releases: docs/figures/VERSION.json, as `./caisson bench --release` saved them; the page shows what has changed since."""
import json
import re
from dataclasses import dataclass
from pathlib import Path

from caisson import VERSION, paths
from caisson.errors import CannotStart

FOLDER = paths.ROOT / "docs" / "figures"


@dataclass(frozen=True)
class Release:
    """One of them."""

    version: str
    rows: dict[str, float]


def file_of(version: str, folder: Path = FOLDER) -> Path:
    return folder / f"{version}.json"


def before(version: str = VERSION, folder: Path = FOLDER) -> Release | None:
    """The newest release that is older than a version; None: it is the first."""
    older = [file.stem for file in folder.glob("*.json") if _key(file.stem) and _key(file.stem) < _key(version)]
    return read(max(older, key=_key), folder) if older else None


def read(version: str, folder: Path = FOLDER) -> Release:
    """Raises CannotStart, which names the file, where it has no figures."""
    file = file_of(version, folder)
    try:
        rows = json.loads(file.read_text())["rows"]
        return Release(version, {name: float(value) for name, value in rows.items()})
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise CannotStart(f"{file}: these are no figures ({error})") from None


def _key(version: str) -> tuple[int, ...]:
    """What orders versions; empty: that is none."""
    return tuple(map(int, version.split("."))) if re.fullmatch(r"[0-9]+(\.[0-9]+)*", version) else ()
