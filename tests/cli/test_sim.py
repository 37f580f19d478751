"""`vcgen sim`: a simulated endpoint over HTTP."""

import re
import signal

import vcgen
from tests.support.common import start_vcgen


def test_sim_serves_until_it_is_interrupted() -> None:
    with start_vcgen("sim", "--port", 0, "--rpm", 1000) as served:
        assert served.stdout is not None
        assert served.stderr is not None
        base_url = re.search(r"http://\S+", served.stdout.readline())
        assert base_url is not None
        endpoint = vcgen.Endpoint(model="sim", base_url=base_url[0])
        clip = vcgen.Clip(id="a", caption="A dog catches a ball.")
        assert vcgen.run([clip], model=endpoint, tasks=["description"]).summary.records == 1
        served.send_signal(signal.SIGINT)
        assert served.wait(20) == 130
        assert served.stderr.read() == ""
