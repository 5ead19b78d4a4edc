"""Tests of the host tool itself."""
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
from hosttool import Tool  # noqa: E402


@pytest.fixture
def tool(tmp_path):
    tool = Tool(tmp_path)
    tool.file("kernel")
    return tool
