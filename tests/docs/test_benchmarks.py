"""Each benchmark runs in a tiny configuration and says what it measured; no figure is judged."""

import importlib.util
import json
import shutil
import subprocess
import sys
from operator import itemgetter
from pathlib import Path

import pytest

from benchmarks import exports
from benchmarks.__main__ import BENCHMARKS, run
from benchmarks.clients import CLIENTS, Job
from benchmarks.endpoints import compare_server
from benchmarks.harness import ROOT, Case, Metrics, Row, Scale, Skipped, ask, interleave, ratio
from benchmarks.limits import figures
from benchmarks.report import markdown, picture
from benchmarks.servers import (
    REPLY,
    bare_server,
    immediate_server,
    render_prompt,
    request_body,
)
from benchmarks.several import Fault, use
from vcgen.sim import Arrival

TINY = Scale(
    repeats=1,
    long_repeats=1,
    seconds=0.02,
    in_flight=(4,),
    latency_s=0.01,
    latency_in_flight=(4,),
    rounds=2,
    limits_s=2.0,
    knee_requests=20,
    storm_samples=20,
    stray_samples=20,
    plan_copies=2,
    storm_servers=2,
    few=20,
    many=40,
    seeds=1,
)
PEERS = {
    "aiohttp": "aiohttp",
    "pyreqwest": "pyreqwest",
    "openai": "openai",
    "lm-deluge": "lm_deluge",
    "async-batch-llm": "async_batch_llm",
}


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_writes_a_json_line_a_result(name: str, tmp_path: Path) -> None:
    run([name], TINY, tmp_path)
    environment, *rows = [
        json.loads(line) for line in (tmp_path / "results.jsonl").read_bytes().splitlines()
    ]
    assert "versions" in environment["environment"]
    assert any(row["metrics"] for row in rows)
    for row in rows:
        assert row["benchmark"] == name
        assert row["metrics"] or row["note"].startswith("skipped: ")
        for figure in row["metrics"].values():
            assert figure["min"] <= figure["median"] <= figure["max"]
            assert len(figure["values"]) >= 1
        if row["note"] and "client" in row:
            assert importlib.util.find_spec(PEERS[row["client"]]) is None, row
    table = (tmp_path / "results.md").read_text()
    assert str(BENCHMARKS[name].__doc__).split("\n")[0] in table
    assert table.count("\n| ") >= len(rows)


@pytest.mark.parametrize("server", ["nginx", "bare asyncio protocol"])
@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_gets_an_answer_to_every_request(
    client: str, server: str, tmp_path: Path
) -> None:
    if server == "nginx" and shutil.which("nginx") is None:
        pytest.skip("nginx is not installed")
    pytest.importorskip(PEERS.get(client, "pytest"))
    serving = immediate_server(str(tmp_path)) if server == "nginx" else bare_server(0.001)
    with serving as running:
        assert running.name == server
        before = running.cpu_seconds()
        fields = Job(running, render_prompt(), str(tmp_path), 30.0, in_flight=3, requests=50)
        metrics = ask("clients", "measure", client, *fields)
        assert running.cpu_seconds() >= before
    assert metrics["requests"] == 50
    assert metrics["CPU us/request"] > 0
    assert metrics["peak MB"] > 1


def test_a_client_that_would_take_too_long_is_skipped(tmp_path: Path) -> None:
    with bare_server(0.01) as server:
        fields = Job(server, "Hello", str(tmp_path), 5.0, in_flight=1, requests=10**6)
        with pytest.raises(Skipped, match=r"1000000 requests would take \d+ s"):
            ask("clients", "measure", "asyncio-protocol", *fields)


def test_a_process_that_fails_is_skipped_with_its_last_line() -> None:
    with pytest.raises(Skipped, match=r"No module named 'benchmarks\.absent'"):
        ask("absent", "measure")


def test_an_unknown_benchmark_is_refused_by_name() -> None:
    command = [sys.executable, "-m", "benchmarks", "absent"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no benchmark absent: there are saturation, latency, limits" in done.stderr


def test_cases_take_turns_and_a_skipped_one_is_not_tried_again() -> None:
    order: list[str] = []

    def measure(case: Case) -> Metrics:
        order.append(str(case["name"]))
        if case["name"] == "B":
            raise Skipped("not here")
        return {"seconds": float(len(order))}

    a, b, c = interleave("x", [{"name": "A"}, {"name": "B"}, {"name": "C"}], 3, measure)
    assert "".join(order) == "ABCACAC"
    assert a.metrics == {"seconds": [1.0, 4.0, 6.0]}
    assert (b.metrics, b.note) == ({}, "skipped: not here")
    halved = ratio(c, a, "seconds", {"ratio": "C : A"})
    assert halved.metrics == {"seconds ratio": [3.0, 5 / 4, 7 / 6]}
    assert ratio(a, b, "seconds", {"ratio": "A : B"}).note == b.note


def test_use_of_a_limit_counts_granted_and_sent_requests() -> None:
    arrivals = [Arrival(second / 50, 0, 200) for second in range(6000)]
    arrivals += [Arrival(119.995, 0, 429)] * 60
    judged = figures(arrivals, 120.0)
    assert judged["used"] == pytest.approx(0.5)
    assert judged["used in the second half"] == pytest.approx(0.5)
    assert judged["429s"] == 60
    assert judged["worst window"] == pytest.approx((3000 + 60) / 6000, rel=1e-3)


def test_use_of_several_limits_leaves_out_an_absent_endpoint() -> None:
    granted = [
        [Arrival(second / 10, 0, 200) for second in range(6000) if not 1800 <= second < 3620],
        [Arrival(second / 5, 0, 200) for second in range(3000)],
        [Arrival(float(second), 0, 200) for second in range(600)],
    ]
    granted[0] += [Arrival(200.0, 0, 503)] * 7
    judged = use(granted, Fault(0, "refused"), minute_s=60)
    assert judged["used"] == pytest.approx((9600 - 1820) / 9600)
    assert judged["of what was there"] == pytest.approx((9600 - 1820) / (9600 - 1800))
    assert judged["wasted"] == 7
    assert judged["meanwhile"] == pytest.approx(1)
    assert judged["back after s"] == pytest.approx(2)
    assert judged["minute after"] == pytest.approx(580 / 600)


def test_a_server_too_slow_for_the_fastest_client_is_reported() -> None:
    clients = [
        Row("saturation", {"client": "aiohttp"}, {"requests/s": [100.0, 120.0, 110.0]}),
        Row("saturation", {"client": "asyncio-protocol"}, {"requests/s": [400.0]}),
        Row("saturation", {"client": "lm-deluge"}, note="skipped: not here"),
    ]
    enough = compare_server("nginx", [340.0, 330.0], clients, "")
    assert enough.note.startswith("fast enough")
    assert enough.metrics["times the fastest client"] == pytest.approx([340 / 110, 3])
    assert compare_server("nginx", [320.0], clients, "").note.startswith("NOT 3 times")


def test_the_table_gives_median_and_spread(tmp_path: Path) -> None:
    case: dict[str, str | int] = {"client": "vcgen", "in flight": 64}
    figures = {"requests/s": [1000.0, 1200.0, 1100.0], "CPU us/request": [0.5, 0.25, 0.125]}
    rows = [Row("saturation", case, figures), Row("saturation", {**case, "client": "x"}, {}, "no")]
    table = markdown({}, {"saturation": "What."}, rows)
    assert "| vcgen | 64 | 1,100 (1,000 to 1,200) | 0.250 (0.125 to 0.500) |  |" in table
    assert "| x | 64 |  |  | no |" in table
    assert not picture(rows[1:], tmp_path / "none.svg")
    pytest.importorskip("matplotlib")
    assert picture(rows, tmp_path / "some.svg")
    assert (tmp_path / "some.svg").read_text().count("<svg") == 1


def test_what_travels_has_the_size_it_is_said_to_have() -> None:
    assert 1000 <= len(REPLY) <= 1200
    assert 1500 <= len(request_body(render_prompt())) <= 3200


def test_exports_have_a_row_for_each_format_and_size(tmp_path: Path) -> None:
    table = list(exports.rows((2, 20), tmp_path, ("llava, shuffled", "parquet", "script")))
    measured = [[cell.strip() for cell in line.split("|")[1:3]] for line in table[2:]]
    assert measured == [
        [case, count] for case in ("llava, shuffled", "parquet", "script") for count in ("2", "20")
    ]
    # What the script writes is what the export does, in another order.
    written = json.loads((tmp_path / "2-20.jsonl").read_bytes())
    lines = (tmp_path / "0-20.jsonl").read_bytes().splitlines()
    assert sorted(map(json.loads, lines), key=itemgetter("id")) == sorted(
        written, key=itemgetter("id")
    )
