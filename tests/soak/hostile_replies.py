"""Thousands of hostile replies, each a record or a reject."""

from pathlib import Path

import pytest

from tests.support.replies import survive


@pytest.mark.timeout(120)
def test_ten_thousand_hostile_replies_are_records_or_rejects(tmp_path: Path) -> None:
    answered, outcomes, cpu_s = survive(tmp_path, replies=10_000, seed=2)
    told = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    print(f"\n{answered:,} hostile replies, none of them raised: {told}; {cpu_s:.0f} s computing")
