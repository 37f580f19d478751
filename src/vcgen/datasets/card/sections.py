"""What a dataset card says below its header, a section a function. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from vcgen.checks.checker import CODES
from vcgen.data.records import Record
from vcgen.datasets.card.markdown import code, json_block, prose
from vcgen.errors import Reason

SIMULATED = (
    "**This is simulated data. No language model wrote it: vcgen's simulator put it together from "
    "the words of the evidence. Train nothing on it.**"
)
REASONS: Mapping[Reason, str] = {
    Reason.INVALID_CLIP: "the row of the input was no clip",
    Reason.DUPLICATE_CLIP: "the clip's id was taken by an earlier row",
    Reason.PROMPT_TOO_LARGE: "the evidence was too long for a prompt",
    Reason.BAD_REQUEST: "the endpoint refused the request",
    Reason.SERVER_ERROR: "the endpoint failed at it again and again",
    Reason.NETWORK: "the endpoint was out of reach",
    Reason.TIMEOUT: "the reply did not come in time",
    Reason.INVALID_RESPONSE: "the endpoint's response could not be understood",
    Reason.CONTENT_FILTER: "the endpoint's filter withheld the reply",
    Reason.REFUSAL: "the model refused",
    Reason.TRUNCATED: "the reply was cut off, with more room too",
    Reason.INVALID_REPLY: "the reply was empty or not of the form asked for, after repairs too",
    Reason.FAILED_CHECKS: "the checks found fault with it, after repairs too",
    Reason.LEAK: "it told of its prompt, or named an address that the evidence does not",
    Reason.CONTRADICTED: "the judge found it contradicted by the evidence",
    Reason.UNJUDGED: "the judge gave no usable verdict",
    Reason.TASK_ERROR: "the task itself failed",
}
LIMITATIONS = """\
- The model that wrote this reads text alone and has never seen a video. It wrote from captions,
  tags, transcripts and the like: what these do not say is not here, and what they have wrong is
  wrong here.
- Names, numbers, colours, times and the order of events are as good as that evidence. Captioning
  models and speech recognition make mistakes.
- All is checked by rules that know words alone. They pass faults that are well put, and their flags
  can be wrong.
- Its wording is more uniform than people's, and it may carry the bias of the model. Answers to why
  are inferred, not observed.
- The evidence, and with it this data, may name or describe real people.
- The licence of the videos, captions and transcripts binds whoever uses this, and so do the terms
  of the model that wrote it. They are not vcgen's to give."""


def opening(
    about: Mapping[str, Any], run: Mapping[str, Any], version: str, *, is_simulated: bool
) -> str:
    """What it is, in two sentences."""
    turns = sum(about["kinds"].values())
    writer = "vcgen's simulator" if is_simulated else "A language model"
    return (
        f"Instruction data for video-language models: {about['records']:,} records with {turns:,} "
        f"questions and answers, in {prose(run['recipe']['language'])}. {writer} wrote "
        "them from text about each video (captions, tags, timed captions, speech) under the "
        f"control of vcgen {prose(version)}, which checked each of them against that text."
        f"{_unlooked(run)}"
    )


def _unlooked(run: Mapping[str, Any]) -> str:
    severities = run["recipe"].get("checks", {})
    off = [code(name) for name, severity in severities.items() if severity == "off"]
    return f" Turned off were the checks {', '.join(off)}." if off else ""


def licence(name: str | None) -> str:
    """What may be said of it."""
    if name is None:
        return "No licence is stated here: that of the source binds, see the limitations."
    return f"Licence: {code(name)}, as far as the source allows, see the limitations."


def composition(about: Mapping[str, Any]) -> str:
    """Tasks, turns, kinds and lengths."""
    words, turns = about["words"], about["turns"]
    kinds = [
        (code(kind), f"{count:,}", *(_spread(words[side].get(kind)) for side in words))
        for kind, count in about["kinds"].items()
    ]
    columns = ("kind", "turns", "words of the question", "words of the answer")
    tasks = [(code(name), f"{count:,}") for name, count in about["tasks"].items()]
    parts = ["## What is in it"]
    if tasks:
        parts += [_table(("task", "records"), tasks), _table(columns, kinds)]
    if turns is not None:
        parts.append(
            f"A record has {turns['least']} to {turns['most']} turns, {turns['mean']:.1f} in the "
            "mean. Words are the median, and in brackets where 5 % and 95 % are."
        )
    parts.append(
        "A record is `id`, `video` (its path in the source), `clip_id`, `task`, `turns` (each with "
        "`kind`, `question`, `answer`), `flags`, and `meta`, which says where it came from."
    )
    return "\n\n".join(parts)


def origin(about: Mapping[str, Any], manifest: Mapping[str, Any]) -> str:
    """The model, the recipe, the prompts, the dates."""
    run, time = manifest["run"], about["time"]
    usage = about["usage"]
    models = ", ".join(f"{code(name)} ({count:,})" for name, count in about["models"].items())
    rows = [
        ("model asked for", code(run["model"])),
        ("as the endpoint names it (samples)", models),
        ("judge", code(run["judge"]) if "judge" in run else ""),
        ("written", "" if time is None else f"{time['first'][:10]} to {time['last'][:10]}"),
        ("vcgen", code(manifest["vcgen"])),
        ("recipe", code(manifest["recipe_hash"]) if "recipe_hash" in manifest else ""),
        ("seed", str(run["recipe"]["seed"])),
        ("requests", f"{about['requests']:,}"),
        ("tokens", f"{usage['prompt_tokens']:,} in, {usage['completion_tokens']:,} out"),
    ]
    templates = [(code(name), code(digest)) for name, digest in run["templates"].items()]
    return "\n\n".join(
        [
            "## Where it comes from",
            _table(("", ""), [row for row in rows if row[1]]),
            "The prompts, by the names of their templates and hashes of what these say:",
            _table(("template", "hash"), templates),
        ]
    )


def left_out(about: Mapping[str, Any]) -> str:
    """Rejects by reason, and flags by code."""
    rejects, flags = about["rejects"], about["flags"]
    lost = sum(rejects.values())
    total = lost + about["records"]
    parts = [
        "## What was left out, and what is flagged",
        f"Of {total:,} samples and rows {lost:,} became no record{_share(lost, total)}.",
    ]
    if rejects:
        reasons = {each.value: meaning for each, meaning in REASONS.items()}
        parts.append(_table(("reason", "samples", "meaning"), _explained(rejects, reasons)))
    if flags:
        meanings = {name: each.meaning for name, each in CODES.items()}
        parts.append("Flagged records are in the data; flags are by rules, and can be wrong:")
        parts.append(_table(("flag", "records", "meaning"), _explained(flags, meanings)))
    else:
        parts.append("No record is flagged.")
    return "\n\n".join(parts)


def quality(about: Mapping[str, Any]) -> str:
    """What was measured of the records."""
    ground, duplicates, records = about["ground"], about["duplicates"], about["records"]
    rows = []
    if ground["mean"] is not None:
        bins = ground["bins"]
        half = sum(bins[len(bins) // 2 :])
        rows += [
            ("share of the answers' content words that the evidence has", f"{ground['mean']:.2f}"),
            ("records where that is half or more", f"{half:,} of {ground['count']:,}"),
        ]
    rows += [
        ("records that were sent back with what was wrong", f"{about['repaired']:,}"),
        ("records that are there twice", f"{duplicates['records']:,}"),
        ("answers word for word as of another video", f"{duplicates['same_answers']:,}"),
        ("answers nearly as of another record", f"{duplicates['near_answers']:,}"),
    ]
    if judge := about.get("judge"):
        rows += [
            (f"answers the judge calls: {prose(verdict)}", f"{count:,}")
            for verdict, count in judge["verdicts"].items()
        ]
    return "\n\n".join(["## How good it is", _table((f"of {records:,} records", ""), rows)])


def shown(records: Sequence[Record]) -> str:
    """Records as they are, without `meta`."""
    rows = [
        {
            "id": each.id,
            "video": each.video,
            "clip_id": each.clip_id,
            "task": each.task,
            "turns": [asdict(turn) for turn in each.turns],
            "flags": list(each.flags),
        }
        for each in records
    ]
    return "\n\n".join(["## Examples", *map(json_block, rows)]) if rows else ""


def limitations() -> str:
    """What nobody should expect of it."""
    return f"## Limitations\n\n{LIMITATIONS}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _explained(
    counts: Mapping[str, int], meanings: Mapping[str, str]
) -> list[tuple[str, str, str]]:
    return [
        (code(name), f"{count:,}", meanings.get(name, "").replace("|", "\u00a6"))
        for name, count in counts.items()
    ]


def _spread(lengths: Mapping[str, Any] | None) -> str:
    if lengths is None:
        return ""
    least, median, most = (lengths["percentiles"][each] for each in ("5", "50", "95"))
    return f"{median} ({least} to {most})"


def _share(part: int, whole: int) -> str:
    return f" ({part / whole:.1%})" if whole else ""
