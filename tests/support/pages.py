"""Runs to make pages of, and what hostile text tries in them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from vcgen.data.clip_index import ClipIndex
from vcgen.data.records import Outcome, Reason, Record, Reject, Turn
from vcgen.datasets.report.report import write_report
from vcgen.pipeline.store.directory import RunDirectory
from vcgen.pipeline.store.manifest import Manifest

MANIFEST: dict[str, Any] = {
    "layout": 1,
    "vcgen": "0.1.0",
    "started": "2026-01-01T00:00:00+00:00",
    "simulated": False,
    "run": {"model": "m-1", "tasks": ["description"], "recipe": {"language": "English"}},
}
USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "cached_tokens": 0}

PAYLOADS = (
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 1</script>",
    "</style><script>window.hacked = 1</script>",
    "</title><script>window.hacked = 1</script>",
    "</textarea></select></svg></template></noscript><script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    "<svg onload='window.hacked = 1'><script>window.hacked = 1</script></svg>",
    "<math><mi xlink:href='javascript:window.hacked = 1'>click</mi></math>",
    '" onmouseover="window.hacked = 1" x="',
    "' autofocus onfocus='window.hacked = 1' x='",
    "<a href='javascript:window.hacked = 1'>click</a>",
    "javascript:window.hacked = 1",
    "<iframe srcdoc='<script>parent.hacked = 1</script>'></iframe>",
    "<link rel=stylesheet href=https://evil.test/x.css><style>@import 'https://evil.test/';</style>",
    "<base href=https://evil.test/><meta http-equiv=refresh content='0;url=https://evil.test/'>",
    "<form action=https://evil.test/><input name=a autofocus onfocus=window.hacked=1></form>",
    "{{ 7 * 7 }}{% raw %}{{ cycler.__init__.__globals__ }}${7*7}#{7*7}",
    "--><script>window.hacked = 1</script><!--",
    "]]><script>window.hacked = 1</script><![CDATA[",
    "<!--", "<", "&lt;script&gt;", "&#x3c;script&#x3e;window.hacked=1", "\u202e<b>\u2066\u200b",
)  # fmt: skip


def record(name: str, answer: str = "A dog runs.", **fields: Any) -> Record:
    """A record of one turn, with all that a run says of it."""
    meta = {"model": "m-1", "usage": USAGE, "cost": 0.001, "attempts": 1, "repairs": 0}
    known: dict[str, Any] = {
        "video": f"{name}.mp4",
        "clip_id": name,
        "task": "description",
        "turns": (Turn("description", "What happens?", answer),),
        "meta": {**meta, "ground": 0.5, "time": "2026-01-01T00:00:01+00:00"},
    }
    return Record(id=f"{name}/description/0", **(known | fields))


def reject(name: str, message: str = "no", reply: str = "") -> Reject:
    return Reject(id=name, reason=Reason.FAILED_CHECKS, message=message, reply=reply)


def make_run(path: Path, outcomes: Iterable[Outcome], **manifest: Any) -> Path:
    """A run directory of these outcomes."""
    run = RunDirectory.open(path, Manifest.from_json(MANIFEST | manifest))
    for outcome in outcomes:
        run.add(outcome)
    run.finish()
    run.close()
    return path


def make_page(run: Path, *clips: Path, max_shown: int = 10_000) -> Path:
    """The report of a run, beside it."""
    page = run.with_name("page.html")
    write_report(run, page, ClipIndex(clips, "auto"), max_shown=max_shown)
    return page


def hostile_run(path: Path) -> Path:
    """A page on which every text that comes from outside tries something."""
    outcomes: list[Outcome] = []
    clips = []
    for number, evil in enumerate(PAYLOADS):
        meta = {
            "model": evil,
            "usage": USAGE,
            "cost": 0.0,
            "time": f"2026-01-01T00:00:0{number % 10}+00:00",
            "judge": {"verdicts": [{"verdict": evil, "span": evil}], "usage": USAGE},
        }
        name = f"{number}{evil}".replace("\u202e", "").replace("\u2066", "").replace("\u200b", "")
        turn = Turn("causal", evil, evil)
        outcomes.append(
            Record(
                id=f"{number}{evil}",
                video=evil,
                clip_id=name,
                task=evil,
                turns=(turn, turn),
                flags=(evil,),
                meta=meta,
            )
        )
        outcomes.append(Reject(id=evil, reason=list(Reason)[number % 17], message=evil, reply=evil))
        texts = {"caption": evil, "summary": evil, "tags": [evil]}
        segments = [
            {"start": 0, "end": 5, "text": evil, "source": source}
            for source in ("caption", "dense", "speech", "action")
        ]
        clips.append({"id": name, "duration": 9, "segments": segments, **texts})
    run = {"model": PAYLOADS[0], "recipe": {"language": "English", "note": PAYLOADS[1]}}
    directory = path / "<img src=x onerror=window.hacked=1>"
    path.mkdir(exist_ok=True)
    (path / "clips.json").write_bytes(orjson.dumps(clips))
    made = make_run(directory, outcomes, run=run | {PAYLOADS[5]: PAYLOADS[2]}, simulated=True)
    return make_page(made, path / "clips.json")
