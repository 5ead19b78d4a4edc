"""Where things are: the tree, what the build makes in it, and the cache outside it."""
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"


def cache() -> Path:
    """Fetched things. The Makefile computes the same folder."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "caisson"


def guest_binary(name: str) -> Path:
    """One of our own guest programs, built from guests/."""
    return BUILD / "guests" / f"{name}.bin"
