"""./caisson bench --html: the page stands alone, its plots are drawings, and every figure is on it."""
import re
import xml.etree.ElementTree as xml

import pytest

from caisson import bench, bench_boot, bench_page, bench_processes, bench_scale, svg


def figures(**changes):
    guest = {row.key: 100.0 + i for i, row in enumerate(bench.ROWS)}
    processes = {key: 1_000.0 + i for i, key in enumerate(bench_processes.ROWS)}
    boot = bench_boot.Boot([(50, {"mmio-read": 10}), (100, {"mmio-read": 30, "timer": 2})], {"mmio-read": 31, "timer": 4})
    return bench_page.Figures(**{
        "tools": {"compiler": "gcc <12>", "QEMU": "10.0.2"}, "guest": dict.fromkeys(bench.COLUMNS, guest),
        "base": {"rr": {row.key: 5.0 for row in bench.BASE_ROWS}}, "caisson": processes,
        "linux": {key: 2 * value for key, value in processes.items()}, "boot": boot,
        "scale": [bench_scale.Point(1, 96.0, None, 36_000.0), bench_scale.Point(4, 96.5, 1_600.0, 37_000.0),
                  bench_scale.Point(64, 97.0, 2_000.0, 43_000.0)], **changes})


def drawings(page):
    return [xml.fromstring(text) for text in re.findall("<svg.*?</svg>", page, re.DOTALL)]


def test_the_page_needs_nothing_else():
    page = bench_page.page(figures())
    assert not re.search(r"https?:|src=|href=|@import|<script", page)
    assert "gcc &lt;12&gt;" in page
    assert page.startswith("<!DOCTYPE html>") and page.endswith("</html>\n")


def test_every_row_is_on_it():
    page = bench_page.page(figures())
    for row in bench.ROWS + bench.BASE_ROWS:
        assert bench_page.escape(row.title) in page
    for title in bench_processes.ROWS.values():
        assert bench_page.escape(title) in page
    assert "32,405" in page and "mmio-read" in page and "43,000" in page


def test_what_is_above_its_target_stands_out():
    assert '<span class="missed">' in bench_page.page(figures())
    good = dict.fromkeys(bench.COLUMNS, {"null-call": 100.0})
    assert '<span class="missed">' not in bench_page.page(figures(guest=good))


def test_rivals_are_of_rows_that_there_are():
    assert bench_page.RIVAL_ROWS.keys() <= {row.key for row in bench.ROWS}


def test_exits_of_the_boot_have_a_price():
    costs = {row.key: 100.0 for row in bench.ROWS}
    page = bench_page.page(figures(guest=dict.fromkeys(bench.COLUMNS, costs)))
    assert "<td>mmio-read</td><td>31</td><td>3,100</td>" in page and "<td>timer</td><td>4</td><td>400</td>" in page
    assert "<td>all</td><td>35</td><td>3,500</td>" in page


def test_without_linux_and_boot_the_rest_is_there():
    page = bench_page.page(figures(linux=None, boot=None))
    assert "Debian's boot" not in page and "Many VMs" in page and "Processes" in page


def test_lines_stay_in_their_frames():
    plots = [plot for plot in drawings(bench_page.page(figures())) if plot.find("polyline") is not None]
    assert len(plots) == 4
    for plot in plots:
        width, height = float(plot.get("width")), float(plot.get("height"))
        for line in plot.iter("polyline"):
            for point in line.get("points").split():
                x, y = map(float, point.split(","))
                assert 0 <= x <= width and 0 <= y <= height


@pytest.mark.parametrize("least, most", [(1.0, 1e6), (100.0, 1e6)])
def test_bars_are_as_long_as_their_values(least, most):
    values = [0.0, 3.0, 100.0, 5_000.0, 900_000.0, 1e9]
    drawing = xml.fromstring(svg.bars([(str(value), value) for value in values], least=least, most=most))
    lengths = [float(bar.get("width")) for bar in drawing.iter("rect")]
    assert lengths == sorted(lengths) and len(set(lengths)) >= 4
    assert max(lengths) < float(drawing.get("width"))


@pytest.mark.parametrize("file, said", [("nowhere/page.html", b"no such folder"), (".", b"a folder")])
def test_a_file_that_cannot_be_written_is_said_before_anything_is_measured(tool, file, said):
    result = tool.run("bench", "--html", file)
    assert result.returncode == 2 and said in result.stderr and file.encode() in result.stderr
    assert not tool.started()
