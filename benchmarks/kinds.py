"""How well rules tell the kinds of questions apart, against labels given by people.

python -m benchmarks.kinds nextqa.csv     (columns `video`, `question`, `type`, as in NExT-QA)

The patterns of the rules are written by hand. What can be fitted is which kind each stands for, so
that is what is cross-validated: in ten folds, no video in two of them, every rule is given the kind
most of the questions it decides have in the other nine, the rule's own kind counting as one more.
"""

import argparse
import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from vcgen.checks.question_kind import (
    QUESTION_KINDS,
    QuestionKind,
    deciding_rule,
    possible_kinds,
    question_kind,
)

_KINDS: dict[str, QuestionKind] = {"C": "causal", "T": "temporal", "D": "descriptive"}
_FOLDS = 10


class Labelled(NamedTuple):
    """A question with the kind people gave it."""

    video: str
    question: str
    kind: QuestionKind


def read_labelled(path: Path) -> list[Labelled]:
    """The rows of a NExT-QA file; a `type` begins with the letter of its kind."""
    with path.open(encoding="utf-8", newline="") as lines:
        return [
            Labelled(row["video"], row["question"], _KINDS[row["type"][0]])
            for row in csv.DictReader(lines)
        ]


def cross_validated(rows: Sequence[Labelled]) -> list[QuestionKind]:
    """For each row the kind that its rule has by the rows of the other folds."""
    fold_of = {video: at % _FOLDS for at, video in enumerate(sorted({row.video for row in rows}))}
    guesses = []
    for row in rows:
        rule = deciding_rule(row.question)
        votes = Counter([rule.kinds[0]])
        votes.update(
            other.kind
            for other in rows
            if fold_of[other.video] != fold_of[row.video] and deciding_rule(other.question) is rule
        )
        guesses.append(votes.most_common(1)[0][0])
    return guesses


def report(title: str, labels: Iterable[QuestionKind], guesses: Iterable[QuestionKind]) -> None:
    """The confusion matrix as a Markdown table, a row for each label."""
    counts = Counter(zip(labels, guesses, strict=True))
    right = sum(counts[kind, kind] for kind in QUESTION_KINDS)
    print(f"\n{title}: {right} of {counts.total()} right, {right / counts.total():.3f}\n")
    print(
        "| label | "
        + " | ".join(QUESTION_KINDS)
        + " | recall |\n|---|"
        + "---|" * (len(QUESTION_KINDS) + 1)
    )
    for label in QUESTION_KINDS:
        row = [counts[label, guess] for guess in QUESTION_KINDS]
        recall = counts[label, label] / (sum(row) or 1)
        print(f"| {label} | {' | '.join(map(str, row))} | {recall:.3f} |")


def report_rules(rows: Sequence[Labelled]) -> None:
    """What people call the questions each rule decides."""
    decided: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        decided[deciding_rule(row.question).name][row.kind] += 1
    print("\n| rule | " + " | ".join(QUESTION_KINDS) + " |\n|---|" + "---|" * len(QUESTION_KINDS))
    for name, counts in decided.items():
        print(f"| {name} | {' | '.join(str(counts[kind]) for kind in QUESTION_KINDS)} |")


def main() -> None:
    """Print both matrices, the rules, and the questions in dispute."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kinds")
    parser.add_argument("labelled", type=Path, help="a CSV file of NExT-QA")
    rows = read_labelled(parser.parse_args().labelled)
    labels = [row.kind for row in rows]
    report("As shipped", labels, [question_kind(row.question) for row in rows])
    report("Cross-validated", labels, cross_validated(rows))
    report_rules(rows)
    print("\nOtherwise than labelled (!: the rules hold the label for impossible)\n")
    for row in rows:
        kinds = possible_kinds(row.question)
        if kinds[0] != row.kind:
            mark = " " if row.kind in kinds else "!"
            print(f"{mark} {row.kind} -> {kinds[0]}: {row.question}")


if __name__ == "__main__":
    main()
