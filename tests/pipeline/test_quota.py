"""The quota: as many records as wanted, and no sample too many."""

import anyio
import pytest

from tests.support.common import run
from vcgen.pipeline.quota import RecordQuota


@pytest.mark.parametrize("wanted", [1, 3, 20])
@pytest.mark.parametrize("rejected", [0, 1, 2])
def test_as_many_records_as_wanted_are_made(wanted: int, rejected: int) -> None:
    """`rejected` of each three samples end without a record."""

    async def main() -> None:
        quota, begun, records, under_way = RecordQuota(wanted), 0, 0, 0

        async def sample() -> None:
            nonlocal begun, records, under_way
            while await quota.begin():
                begun += 1
                under_way += 1
                assert records + under_way <= wanted
                is_record = begun % 3 >= rejected
                await anyio.sleep(1 + begun % 4)
                under_way -= 1
                records += is_record
                quota.end(with_record=is_record)

        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(sample)
        assert records == wanted
        assert quota.is_met

    run(main)


def test_without_a_number_nothing_waits() -> None:
    async def main() -> None:
        quota = RecordQuota(None)
        for _ in range(1000):
            assert await quota.begin()
        quota.end(with_record=True)
        assert not quota.is_met

    run(main)


def test_a_directory_with_enough_records_begins_nothing() -> None:
    async def main() -> None:
        for wanted in (0, -5):
            assert not await RecordQuota(wanted).begin()

    run(main)
