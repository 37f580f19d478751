"""Opening a run: one set of defaults, one transport for each kind of endpoint."""

from pathlib import Path
from typing import Any

import pytest
from jinja2 import FileSystemLoader

from tests.support.common import Watched, make_clips, run
from vcgen.data.readers.inputs import open_input
from vcgen.engine.budget import Budget
from vcgen.engine.config import DEFAULT_TIMEOUT_S, Endpoint, Limits
from vcgen.engine.pricing import FREE, per_million
from vcgen.errors import UsageError
from vcgen.pipeline.session import Options, Settings, choose_transport, open_run, price_of
from vcgen.sim import SimTransport, in_memory
from vcgen.tasks.recipe import Recipe

SIM = in_memory(Endpoint(model="sim"))
SERVED = Endpoint(model="sim", base_url="http://127.0.0.1:8000/v1")


def test_every_option_has_a_default() -> None:
    settings = Settings.from_options({})
    assert settings == Settings()
    assert Options.__annotations__.keys() == set(Settings.__dataclass_fields__)
    assert (settings.timeout_s, settings.hedge, settings.limits) == (
        DEFAULT_TIMEOUT_S,
        False,
        Limits(),
    )
    assert (settings.budget, settings.recipe) == (Budget(), Recipe())


def test_none_is_the_default() -> None:
    options: Any = dict.fromkeys(Options.__annotations__)
    assert Settings.from_options(options) == Settings()


def test_paths_may_be_texts() -> None:
    settings = Settings.from_options({"output": "runs/a", "templates": Path("t")})
    assert (settings.output, settings.templates) == (Path("runs/a"), Path("t"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"otput": "a"}, "unknown option otput; choose from tasks, max_records, output"),
        ({"samples": 3}, "unknown option samples"),
        ({"max_records": 0}, "max_records must be at least 1, not 0"),
    ],
)
def test_a_wrong_option_is_one_clear_error(options: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Settings.from_options(options)


def test_only_simulated_endpoints_get_the_simulator() -> None:
    assert isinstance(choose_transport([SIM]), SimTransport)
    assert choose_transport([SERVED]) is None  # the engine's own


def test_the_simulator_is_free_unless_it_has_a_price() -> None:
    priced = in_memory(Endpoint(model="sim", price=(1.0, 2.0)))
    assert price_of([SIM]) == FREE
    assert price_of([priced]) == per_million(1.0, 2.0)
    assert price_of([SERVED]) is None


def test_a_refused_run_leaves_no_directory(tmp_path: Path) -> None:
    async def main() -> None:
        wrong: list[dict[str, Any]] = [
            {"timeout_s": 0.0},
            {"budget": Budget(cost=1.0), "judge": Endpoint(model="sim", base_url=SERVED.base_url)},
            {"tasks": ["poem"]},
            {"judge": 5},
        ]
        for options in wrong:
            every: Any = {"output": tmp_path / "run", "transport": Watched(), **options}
            with pytest.raises(UsageError):
                async with open_run(open_input(make_clips(1)), SIM, every):
                    raise AssertionError("it opened")
        assert not (tmp_path / "run").exists()

    run(main)


def test_an_open_run_reads_no_template_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file descriptor may be a connection by then."""

    async def main() -> None:
        options: Options = {"judge": SIM, "tasks": ["description", "conversation-selfchat"]}
        async with open_run(open_input(make_clips(1)), SIM, options) as opened:
            with monkeypatch.context() as patch:
                patch.setattr(FileSystemLoader, "get_source", None)
                await opened.work()
            assert opened.progress.records == 2

    run(main)


def test_a_transport_reaches_judges_of_its_own_kind_only() -> None:
    """A caller's transport sends to servers or to the simulator, not to both."""

    async def main() -> None:
        for judge, requests in ((SIM, 2), (None, 1)):
            transport = Watched()
            options: Options = {"transport": transport, "tasks": ["description"], "judge": judge}
            options["recipe"] = Recipe(refine=False)
            async with open_run(open_input(make_clips(1)), SIM, options) as opened:
                await opened.work()
            assert len(transport.bodies) == requests

    run(main)
