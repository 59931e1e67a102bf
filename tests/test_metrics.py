"""The metrics sink: what it counts, where the numbers go, and that each leads back to its run."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import threading
import urllib.request

import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from codeintel_obs import Status, StepEvent, emit_step, guard, settings, step
from codeintel_obs.launch.sinks import Sinks
from codeintel_obs.recorder import Recorder, install
from codeintel_obs.runs import Run
from codeintel_obs.sinks.metrics import MetricsSink
from codeintel_obs.spans import Spans

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


class Recording:
    """A recorder with this one sink, as launch would put it together."""

    def __init__(self, provider=None, **overrides):
        self.settings = settings.load({}, None, overrides)
        self.provider = provider

    def __enter__(self):
        self.sink, run = MetricsSink(), Run(name="test")
        run.is_process = True
        sinks = Sinks(self.settings, [])
        sinks.manager.register(self.sink, "metrics")
        made = (lambda: self.provider) if self.provider is not None else None
        self.active = Recorder(self.settings, run, sinks.listeners(), Spans(None, metrics=made))
        install(self.active)
        sinks.configure(self.settings, self.active, dict)
        return self

    def __exit__(self, *_):
        self.sink.obs_shutdown()
        install(None)


def work():
    """One completed step, one failed, and an instant skip."""
    with step("shop.find"):
        pass
    with pytest.raises(LookupError), step("shop.find"):
        raise LookupError
    emit_step(StepEvent("shop.channel", Status.SKIPPED))


@pytest.fixture
def reader():
    return InMemoryMetricReader()


@pytest.fixture
def provider(reader):
    made = MeterProvider([reader], exemplar_filter=AlwaysOnExemplarFilter(), shutdown_on_exit=False)
    yield made
    made.shutdown()


def points(reader):
    """Return the data points by instrument."""
    (resource,) = reader.get_metrics_data().resource_metrics
    (scope,) = resource.scope_metrics
    return {metric.name: list(metric.data.data_points) for metric in scope.metrics}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as held:
        return held.getsockname()[1]


def until(answer):
    """Return what ``answer`` gives as soon as that is something."""
    for _ in range(400):
        found = answer()
        if found is not None:
            return found
        threading.Event().wait(0.05)
    raise AssertionError("nothing came")


def scraped(port, accept=OPENMETRICS):
    until(lambda: True if can_connect(port) else None)
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(asked, timeout=10) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def can_connect(port):
    with socket.socket() as attempt:
        return attempt.connect_ex(("127.0.0.1", port)) == 0


# -- OpenTelemetry ------------------------------------------------------------------------------------------------------


def test_steps_are_counted_by_kind_and_status(provider, reader):
    """Every step is counted; an instant has no duration and is in no histogram."""
    with Recording(provider):
        work()
        found = points(reader)
    counted = {tuple(point.attributes.values()): point.value for point in found["codeintel.steps"]}
    timed = {tuple(point.attributes.values()): point.count for point in found["codeintel.step.duration"]}
    finds = {("shop.find", "completed"): 1, ("shop.find", "failed"): 1}
    assert (counted, timed) == ({**finds, ("shop.channel", "skipped"): 1}, finds)


def test_an_exemplar_is_the_step_in_its_trace(provider, reader):
    """Counter and histogram carry the ids of the step that was counted, sampled or not."""
    with Recording(provider) as recording:
        work()
        found = points(reader)
        trace_id = recording.active.process_run.trace_id
    exemplars = [each for point in found["codeintel.step.duration"] for each in point.exemplars]
    assert {f"{each.trace_id:032x}" for each in exemplars} == {trace_id}
    assert len({each.span_id for each in exemplars}) == 2


def test_durations_are_seconds_in_buckets_that_fit(provider, reader):
    """The histogram is in seconds, from 0.1 ms to a minute."""
    with Recording(provider):
        work()
        (point, _) = points(reader)["codeintel.step.duration"]
    assert (point.explicit_bounds[0], point.explicit_bounds[-1]) == (0.0001, 60.0)
    assert 0 < point.sum < 1


def test_the_applications_own_provider_is_adopted(provider, reader, monkeypatch):
    """A global meter provider gets the numbers, and our own pipeline is not even made."""
    monkeypatch.setattr(metrics._internal, "_METER_PROVIDER", provider)
    with Recording() as recording:
        recording.active.spans.metrics = lambda: pytest.fail("our own pipeline was made")
        work()
        assert set(points(reader)) == {"codeintel.steps", "codeintel.step.duration"}


def test_without_provider_and_endpoint_nothing_is_counted():
    """No provider, no endpoint: no instruments, no thread, no listener."""
    before = threading.active_count()
    with Recording() as recording:
        work()
        assert recording.sink._instruments is None
        assert threading.active_count() == before


def test_kinds_of_an_applications_making_do_not_flood(provider, reader):
    """After a thousand series, what is new is counted as one other."""
    with Recording(provider):
        for number in range(1010):
            emit_step(StepEvent(f"made.up{number}"))
        found = points(reader)["codeintel.steps"]
    others = [point.value for point in found if point.attributes["codeintel.step.kind"] == "other"]
    assert (len(found), others) == (1001, [10])


def test_a_signal_handler_inside_a_counters_lock_counts_later(provider, reader):
    """A step that ends in a signal handler, while this thread holds a lock of the SDK's, is counted and hangs nobody."""
    with Recording(provider) as recording:
        original = recording.sink._count

        def interrupted(step):
            recording.sink._count = original
            signal.raise_signal(signal.SIGUSR1)
            original(step)

        previous = signal.signal(signal.SIGUSR1, lambda *_: emit_step(StepEvent("shop.signal")))
        recording.sink._count = interrupted
        work()
        signal.signal(signal.SIGUSR1, previous)
        kinds = {point.attributes["codeintel.step.kind"] for point in points(reader)["codeintel.steps"]}
    assert "shop.signal" in kinds


# -- Prometheus ---------------------------------------------------------------------------------------------------------


def test_openmetrics_has_run_and_trace_as_exemplars():
    """Every bucket and counter that moved names the run and the trace of the step that moved it last."""
    port = free_port()
    with Recording(prometheus=f"127.0.0.1:{port}") as recording:
        work()
        sort, text = scraped(port)
        run = recording.active.process_run
    exemplar = re.escape(f'{{run_id="{run.run_id}",trace_id="{run.trace_id}"}}')
    assert sort.startswith("application/openmetrics-text")
    assert re.search(rf'codeintel_steps_total{{kind="shop.find",status="failed"}} 1.0 # {exemplar} 1.0', text)
    assert re.search(rf'codeintel_step_duration_seconds_bucket{{.*status="completed"}} \d.* # {exemplar} ', text)
    assert text.endswith("# EOF\n")


def test_old_scrapers_get_the_old_format():
    """Without OpenMetrics there are the same numbers, and no exemplars, which that format does not know."""
    port = free_port()
    with Recording(prometheus=str(port)):
        work()
        _, text = scraped(port, "text/plain")
    assert 'codeintel_steps_total{kind="shop.channel",status="skipped"} 1.0' in text
    assert "run_id" not in text


def test_nothing_listens_before_the_first_step():
    """A process that records nothing takes no port."""
    port = free_port()
    with Recording(prometheus=str(port)):
        assert not can_connect(port)


def test_processes_of_one_service_take_a_port_each():
    """Of a range the first free port is taken; where none is left, the ledger says so, and the steps go on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Recording(prometheus=f"127.0.0.1:{port}-{port + 20}") as recording:
            work()
            other = until(lambda: recording.sink._endpoint._server).server_port
            assert "shop.find" in scraped(other)[1]
    assert port < other <= port + 20


def test_a_port_that_is_taken_is_told():
    """Nothing is served, and a fault in the ledger says why."""
    told, ready = [], threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as taken, Recording(prometheus=taken.getsockname()[1]) as recording:
        recording.active.record = lambda *event: (told.append(event), ready.set())
        work()
        assert ready.wait(20)
    ((event, payload),) = told
    assert (event, payload["where"], payload["type"]) == ("fault", "prometheus endpoint", "not served")
    assert "in use" in payload["message"]


def test_a_forked_child_leaves_the_port_to_its_parent():
    """The child closes what it inherited and counts from zero; its parent goes on serving."""
    port = free_port()
    with Recording(prometheus=str(port)) as recording:
        work()
        scraped(port)
        child = os.fork()
        if child == 0:
            endpoint = recording.sink._endpoint
            os._exit(0 if endpoint._server is None and not endpoint._children else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert "shop.find" in scraped(port)[1]


@pytest.mark.parametrize(
    ("given", "parsed"),
    [
        ("9464", "127.0.0.1:9464"),
        (9464, "127.0.0.1:9464"),
        ("0.0.0.0:9464-9467", "0.0.0.0:9464-9467"),
        ("[::1]:9464", "[::1]:9464"),
    ],
)
def test_an_address_is_on_loopback_unless_it_says_otherwise(given, parsed):
    """A bare port is on loopback; a range of ports is for several processes."""
    assert settings.load({}, None, {"prometheus": given}).prometheus == parsed


@pytest.mark.parametrize("given", ["here", "localhost:", "localhost:9-8", "localhost:70000", "1-2-3"])
def test_a_bad_address_is_a_problem_of_the_settings(given):
    """It is put aside for the default, which serves nothing, and told with the mend."""
    found = settings.load({}, None, {"prometheus": given})
    assert (found.prometheus, [each.key for each in found.problems]) == ("", ["prometheus"])


def test_doctor_says_that_the_client_is_missing(monkeypatch):
    """The setting without its library is an error, and with it none."""
    from codeintel_obs.cli import checks_local
    from codeintel_obs.cli.checks import Surroundings

    around = Surroundings({}, settings.load({}, None, {"prometheus": 9464}))
    assert list(checks_local.prometheus(around)) == []
    monkeypatch.setattr(checks_local, "find_spec", lambda _name: None)
    assert [each.id for each in checks_local.prometheus(around)] == ["prometheus-client-missing"]


def test_without_the_client_steps_go_on(monkeypatch):
    """An endpoint that cannot be made is an error of ours: counted, and nobody else's."""
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    monkeypatch.setattr(guard, "strict", False)
    before = guard.counts.total()
    with Recording(prometheus=9464) as recording:
        work()
        assert recording.sink._endpoint is None
    assert guard.counts.total() == before + 1
