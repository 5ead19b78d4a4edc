"""Caisson's host tool: everything behind ./caisson."""

VERSION = "0.1.0"
