"""Checks of OpenTelemetry's side: what makes the stock launcher instrument nothing, or export nothing, in silence."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import metadata
from typing import Final

from codeintel_obs.cli.checks import Check, Finding, Surroundings
from codeintel_obs.cli.installed import INSTRUMENTORS, PREFIX, version_of

_GRPC: Final = "otlp_proto_grpc"
_GRPC_PORT: Final = ":4317"
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def sdk_disabled(around: Surroundings) -> Iterator[Finding]:
    value = around.environ.get("OTEL_SDK_DISABLED", "")
    if value.strip().lower() == "true":
        yield Finding(
            "otel-sdk-disabled",
            "warning",
            "OpenTelemetry makes no spans and exports nothing; the ledger is written all the same",
            f"OTEL_SDK_DISABLED={value}",
            "unset OTEL_SDK_DISABLED",
        )


def grpc_exporter(around: Surroundings) -> Iterator[Finding]:
    """The stock distro asks for the grpc exporter; with the http one alone, nothing at all is instrumented."""
    environ = around.environ
    if metadata.entry_points(group="opentelemetry_traces_exporter", name=_GRPC):
        return
    mend = "set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, or install opentelemetry-exporter-otlp-proto-grpc"
    for name in ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"):
        if environ.get(name, "").strip() == "grpc":
            yield Finding(
                "grpc-exporter-missing",
                "error",
                "the grpc exporter is asked for and not installed: the stock launcher gives up and instruments nothing",
                f"{name}=grpc, and no entry point {_GRPC}",
                mend,
            )
    if _GRPC in environ.get("OTEL_TRACES_EXPORTER", ""):
        yield Finding(
            "grpc-exporter-missing",
            "error",
            "the grpc exporter is asked for and not installed: the stock launcher gives up and instruments nothing",
            f"OTEL_TRACES_EXPORTER={environ['OTEL_TRACES_EXPORTER']}",
            mend,
        )
    stock = version_of("opentelemetry-distro")
    chosen = _first_distro(environ.get("OTEL_PYTHON_DISTRO"))
    asked = environ.get("OTEL_TRACES_EXPORTER") or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    if stock and chosen is not None and chosen.name == "distro" and not asked:
        yield Finding(
            "grpc-exporter-missing",
            "error",
            "opentelemetry-distro asks for the grpc exporter, which is not installed: plain"
            " opentelemetry-instrument instruments nothing",
            f"opentelemetry-distro {stock} is the distro in use",
            f"{mend}, or set OTEL_PYTHON_DISTRO=codeintel_obs",
        )


def config_file(around: Surroundings) -> Iterator[Finding]:
    old, new = around.environ.get("OTEL_EXPERIMENTAL_CONFIG_FILE"), around.environ.get("OTEL_CONFIG_FILE")
    if old and not new:
        yield Finding(
            "config-file-ignored",
            "warning",
            "this variable does nothing in Python",
            f"OTEL_EXPERIMENTAL_CONFIG_FILE={old}",
            f"set OTEL_CONFIG_FILE={old} instead",
        )
    if new and not os.path.isfile(new):
        yield Finding(
            "config-file-missing",
            "error",
            "OpenTelemetry's configuration file is not there: the stock launcher gives up",
            f"OTEL_CONFIG_FILE={new}",
            "name a file that exists, or unset the variable",
        )


def distros(around: Surroundings) -> Iterator[Finding]:
    named = around.environ.get("OTEL_PYTHON_DISTRO")
    chosen = _first_distro(named)
    if named and chosen is None:
        yield Finding(
            "distro-missing",
            "error",
            "the named distro is not installed: the stock launcher runs without any",
            f"OTEL_PYTHON_DISTRO={named}",
            "install it, or unset OTEL_PYTHON_DISTRO",
        )
    elif chosen is not None and not chosen.value.startswith("codeintel_obs."):
        yield Finding(
            "other-distro-first",
            "note",
            "the stock launcher uses another distro than ours; recording goes on without ours",
            f"{chosen.name} = {chosen.value}",
            "for ours: OTEL_PYTHON_DISTRO=codeintel_obs",
        )


def instruments_conflicts(around: Surroundings) -> Iterator[Finding]:
    """Apply the stock launcher's own check: a failed one switches off every instrumentor of the distribution."""
    from opentelemetry.instrumentation.dependencies import get_dist_dependency_conflicts

    del around
    by_distribution: dict[str, tuple[metadata.Distribution, list[str]]] = {}
    for entry_point in metadata.entry_points(group=INSTRUMENTORS):
        if entry_point.dist is not None:
            by_distribution.setdefault(entry_point.dist.name, (entry_point.dist, []))[1].append(entry_point.name)
    for name, (distribution, instrumentors) in sorted(by_distribution.items()):
        conflict = get_dist_dependency_conflicts(distribution)
        if conflict is None:
            continue
        ours = any(each.startswith(PREFIX) for each in instrumentors)
        installed = bool(conflict.found or getattr(conflict, "found_any", None))
        if ours or installed or len(instrumentors) > 1:
            yield Finding(
                "instruments-conflict",
                "error" if ours else "warning",
                f"the stock launcher switches off every instrumentor of {name}: {', '.join(sorted(instrumentors))}",
                str(conflict),
                "install a version in that range; the author should not use an extra named `instruments`",
            )


def global_provider(around: Surroundings) -> Iterator[Finding]:
    named = around.environ.get("OTEL_PYTHON_CONFIGURATOR")
    found = metadata.entry_points(group="opentelemetry_configurator")
    endpoint = next((name for name in _ENDPOINTS if around.environ.get(name)), None)
    if named and named not in {each.name for each in found}:
        yield Finding(
            "configurator-missing",
            "error",
            "the named configurator is not installed: no global provider is set up",
            f"OTEL_PYTHON_CONFIGURATOR={named}",
            "install it, or unset the variable",
        )
    elif endpoint and not found:
        yield Finding(
            "no-global-provider",
            "note",
            "no configurator is installed: plain opentelemetry-instrument sets up no global"
            " provider, so spans of other libraries go nowhere; ours are exported",
            f"{endpoint} is set",
            "install opentelemetry-distro, or let the application set its own provider",
        )


def endpoint(around: Surroundings) -> Iterator[Finding]:
    environ = around.environ
    found = next((name for name in _ENDPOINTS if environ.get(name)), None)
    if found is None:
        return
    if environ.get("OTEL_TRACES_EXPORTER", "").strip() == "none":
        yield Finding(
            "exporter-off",
            "note",
            "an endpoint is set and the exporter is off: no span leaves the process",
            "OTEL_TRACES_EXPORTER=none",
            "unset OTEL_TRACES_EXPORTER",
        )
    if environ[found].rstrip("/").endswith(_GRPC_PORT) and environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") != "grpc":
        yield Finding(
            "grpc-port",
            "warning",
            "4317 is the port of OTLP over grpc; ours speaks http/protobuf, usually on 4318",
            f"{found}={_without_user(environ[found])}",
            "use the receiver's http port",
        )


def denied(around: Surroundings) -> Iterator[Finding]:
    value = around.environ.get("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "")
    if "*" in value.split(","):
        yield Finding(
            "all-instrumentations-disabled",
            "error",
            "every instrumentor is switched off, ours too",
            f"OTEL_PYTHON_DISABLED_INSTRUMENTATIONS={value}",
            "unset it, or name single instrumentors",
        )


def split_release(around: Surroundings) -> Iterator[Finding]:
    """OpenTelemetry's packages come in lockstep; a mixed set fails in ways that name none of them."""
    del around
    api, sdk = version_of("opentelemetry-api"), version_of("opentelemetry-sdk")
    if api != sdk:
        yield Finding(
            "otel-versions-differ",
            "warning",
            "opentelemetry-api and opentelemetry-sdk are of different releases",
            f"api {api}, sdk {sdk}",
            "install both of one release",
        )


def _first_distro(named: str | None) -> metadata.EntryPoint | None:
    found = metadata.entry_points(group="opentelemetry_distro")
    return next((each for each in found if named is None or each.name == named), None)


def _without_user(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


CHECKS: Final[tuple[Check, ...]] = (
    sdk_disabled,
    grpc_exporter,
    config_file,
    distros,
    instruments_conflicts,
    global_provider,
    endpoint,
    denied,
    split_release,
)
