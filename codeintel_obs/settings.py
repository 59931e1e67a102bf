"""Every setting: its default, its meaning, and where its value came from; parsed once into a frozen object."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from codeintel_obs.errors import SettingsError
from codeintel_obs.levels import Content
from codeintel_obs.variables import CLI_VARIABLE, FILES

if TYPE_CHECKING:
    from codeintel_obs.seams import Plan, Seam

_DECLARED: Final = ("seams", "plans")
_DISABLED_BY_OTEL: Final = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"


class Definition(NamedTuple):  # a dataclass would import `inspect`, in every supervisor
    """One setting. ``merge`` is ``replace`` (the highest level wins) or ``add`` (denials of all levels add up)."""

    name: str
    default: Any
    meaning: str
    parse: Callable[[Any], Any]
    merge: str = "replace"
    secret: bool = False
    """Never told: neither by commands nor in a manifest."""

    @property
    def variable(self) -> str:
        return f"CODEINTEL_OBS_{self.name.upper()}"


def _words(value: Any) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
        raise ValueError("expected a list of names, or names separated by commas")
    return tuple(dict.fromkeys(item.strip() for item in items if item.strip()))


def _one_of(*choices: str) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}, not {value!r}")
        return str(value)

    return parse


def _content(value: Any) -> Content:
    return Content(_one_of(*Content)(value))


def _flag(value: Any) -> bool:
    words = {
        "1": True,
        "true": True,
        "on": True,
        "yes": True,
        "0": False,
        "false": False,
        "off": False,
        "no": False,
    }
    parsed = words.get(str(value).strip().lower())
    if parsed is None:
        raise ValueError(f"expected on or off, not {value!r}")
    return parsed


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"expected a text, not {value!r}")
    return value


def _number(low: float, high: float) -> Callable[[Any], float]:
    def parse(value: Any) -> float:
        number = float(value)
        if isinstance(value, bool) or not low <= number <= high:
            raise ValueError(f"expected a number from {low:g} to {high:g}, not {value!r}")
        return number

    return parse


def _address(value: Any) -> str:
    text = str(value).strip()
    host, _, ports = text.rpartition(":")
    first, _, last = ports.partition("-")
    numbers = [int(each) for each in (first, last or first) if each.isdigit()]
    if len(numbers) != 2 or not 0 <= numbers[0] <= numbers[1] <= 65535:  # noqa: PLR2004 - a first and a last port
        raise ValueError(f"expected address:port or address:first-last, not {value!r}")
    return f"{host or '127.0.0.1'}:{ports}"


TABLE: Final[tuple[Definition, ...]] = (
    Definition(
        "data_dir",
        ".codeintel",
        "where ledgers and manifests are written; relative to the working directory",
        _text,
    ),
    Definition("content", Content.MESSAGES, "what may be kept of texts: none, messages or all", _content),
    Definition("plugins", (), "when not empty, the only plugins that are active", _words),
    Definition("disabled_plugins", (), "plugins and sinks that stay off; all levels add up and win", _words, "add"),
    Definition(
        "fsync",
        "group",
        "none, group (background, within 200 ms or 50 records) or step (blocking)",
        _one_of("none", "group", "step"),
    ),
    Definition(
        "chain",
        False,
        "chain the ledger's lines by SHA-256 (`prev`), and send each closed file's root as a log where an endpoint is set",
        _flag,
    ),
    Definition(
        "span_events",
        "span",
        "where step events go: on the span, to OTel logs, or both",
        _one_of("span", "logs", "both"),
    ),
    Definition("plain_spans", False, "make plain SDK spans: slower, the conformance reference", _flag),
    Definition("stdlog", False, "also write each step as a JSON line through the logging module", _flag),
    Definition(
        "prometheus",
        "",
        "address:port, or address:first-last, where Prometheus may scrape step metrics; a bare port is on loopback",
        _address,
    ),
    Definition(
        "log_level",
        "INFO",
        "the lowest level of the application's log records that are kept",
        _one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    ),
    Definition(
        "foreign_spans",
        10_000,
        "how many spans of others are kept per run; the rest is counted",
        _number(0, 1e9),
    ),
    Definition("propagate_hosts", (), "hosts besides loopback to which the run travels over HTTP", _words),
    Definition(
        "excluded_paths",
        (
            "/health",
            "/healthz",
            "/livez",
            "/readyz",
            "/ready",
            "/live",
            "/ping",
            "/metrics",
            "/metrics/*",
            "/favicon.ico",
        ),
        "paths of HTTP requests that are not recorded; `*` and `?` match as in file names",
        _words,
    ),
    Definition(
        "report_routes", True, "answer /observability/runs and /observability/run/RUN/report, to this machine", _flag
    ),
    Definition(
        "report_token",
        "",
        "let whoever sends `Authorization: Bearer TOKEN` read reports over HTTP from elsewhere too",
        str,
        secret=True,
    ),
    Definition("vllm_hosts", (), "hosts that are vLLM servers, as host or host:port", _words),
    Definition("carriers", True, "carry the run into child processes, threads and outbound requests", _flag),
    Definition("max_bytes", 2 * 1024**3, "most bytes that all ledgers together may take", _number(0, 1e18)),
    Definition("max_days", 14, "most days that a ledger is kept", _number(0, 36_500)),
    Definition("min_free", 0.05, "share of the file system that is left free", _number(0, 0.99)),
    Definition("service", "", "the service's name; else OTEL_SERVICE_NAME, else the program's", str),
)
NAMES: Final = {definition.name: definition for definition in TABLE}


class Settings(NamedTuple):
    """The effective settings of one process. ``sources`` tells for each where its value came from.

    ``problems`` holds what was wrong with values that were put aside for the default.
    """

    data_dir: str
    content: Content
    plugins: tuple[str, ...]
    disabled_plugins: tuple[str, ...]
    fsync: str
    chain: bool
    span_events: str
    plain_spans: bool
    stdlog: bool
    prometheus: str
    log_level: str
    foreign_spans: float
    propagate_hosts: tuple[str, ...]
    excluded_paths: tuple[str, ...]
    report_routes: bool
    report_token: str
    vllm_hosts: tuple[str, ...]
    carriers: bool
    max_bytes: float
    max_days: float
    min_free: float
    service: str
    sources: Mapping[str, str]
    problems: tuple[SettingsError, ...] = ()
    denials: Mapping[str, str] | None = None
    seams: tuple[Seam, ...] = ()
    plans: tuple[Plan, ...] = ()

    def denied(self, plugin: str) -> str | None:
        """Return by what ``plugin`` (or sink) is switched off, for an activation fact, or None when it is on."""
        for name in (plugin, f"codeintel_{plugin}", "*"):
            if self.denials and name in self.denials:
                return self.denials[name]
        if self.plugins and plugin not in self.plugins:
            return f"plugins ({self.sources['plugins']})"
        return None


class _Level(NamedTuple):
    where: str
    values: Mapping[str, Any]


def load(
    environ: Mapping[str, str] | None = None,
    cwd: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    config: str | None = None,
) -> Settings:
    """Return the effective settings; never raises for a bad value, which ends up in ``problems`` instead.

    ``overrides`` is the command line's level; ``config`` is a file that is read instead of those in ``cwd``.
    """
    environ = os.environ if environ is None else environ
    problems: list[SettingsError] = []
    levels = list(_levels(environ, cwd or "", overrides or {}, config, problems))
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    denials: dict[str, str] = {}
    for definition in TABLE:
        value, source = _resolve(definition, levels, problems)
        values[definition.name], sources[definition.name] = value, source
    for level in reversed(levels):
        denials.update(dict.fromkeys(_parsed(NAMES["disabled_plugins"], level, problems) or (), level.where))
    for name in _words(environ.get(_DISABLED_BY_OTEL, "")):
        denials[name] = _DISABLED_BY_OTEL
    values["disabled_plugins"] = tuple(denials)
    values["data_dir"] = os.path.abspath(os.path.join(cwd or "", values["data_dir"]))
    seams, plans = (_declared(key, levels, problems) for key in _DECLARED)
    return Settings(**values, sources=sources, problems=_unique(problems), denials=denials, seams=seams, plans=plans)


def _declared(key: str, levels: list[_Level], problems: list[SettingsError]) -> tuple[Any, ...]:
    """Return the tables under ``key`` of the highest level that has any."""
    level = next((level for level in levels if key in level.values), None)
    if level is None:
        return ()
    from codeintel_obs import seams  # only where something is declared

    read: Callable[..., tuple[Any, ...]] = seams.read_seams if key == "seams" else seams.read_plans
    mend = "docs/seams.md shows how seams and plans are declared"
    return read(level.values[key], lambda where, what: problems.append(SettingsError(level.where, where, what, mend)))


def _unique(problems: list[SettingsError]) -> tuple[SettingsError, ...]:
    return tuple({str(problem): problem for problem in problems}.values())


def _levels(
    environ: Mapping[str, str],
    cwd: str,
    overrides: Mapping[str, Any],
    config: str | None,
    problems: list[SettingsError],
) -> list[_Level]:
    """Return the levels from the highest down: command line, environment, codeintel_obs.toml, pyproject.toml."""
    passed = _passed_on(environ)
    config = config or passed.pop("config", None) or environ.get("CODEINTEL_OBS_CONFIG")
    command_line = {**passed, **{key: value for key, value in overrides.items() if value is not None}}
    from_environment = {name: environ[d.variable] for name, d in NAMES.items() if environ.get(d.variable)}
    levels = [_Level("command line", command_line), _Level("environment", from_environment)]
    files = (
        [(config, ())]
        if config
        else [(os.path.join(cwd, FILES[0]), ()), (os.path.join(cwd, FILES[1]), ("tool", "codeintel_obs"))]
    )
    for path, table in files:
        if config and os.path.basename(path) == FILES[1]:
            table = ("tool", "codeintel_obs")  # noqa: PLW2901 - the named file decides where its table stands
        levels += _file_level(path, table, required=bool(config), problems=problems)
    return levels


def _passed_on(environ: Mapping[str, str]) -> dict[str, Any]:
    text = environ.get(CLI_VARIABLE)
    if not text:
        return {}
    import json

    try:
        values = json.loads(text)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _file_level(path: str, table: tuple[str, ...], *, required: bool, problems: list[SettingsError]) -> list[_Level]:
    if not required and not os.path.isfile(path):
        return []
    import tomllib

    try:
        with open(path, encoding="utf-8") as file:
            values: Any = tomllib.loads(file.read())
    except (OSError, ValueError) as exc:
        problems.append(SettingsError(path, "file", str(exc), "mend the file or name another with --config"))
        return []
    for key in table:
        values = values.get(key, {}) if isinstance(values, dict) else {}
    if not values:
        return []
    known = set(NAMES) | set(_DECLARED)
    problems += [
        SettingsError(path, key, "unknown setting", f"known are: {', '.join(sorted(known))}")
        for key in values
        if key not in known
    ]
    return [_Level(path, values)]


def _resolve(definition: Definition, levels: list[_Level], problems: list[SettingsError]) -> tuple[Any, str]:
    for level in levels:
        value = _parsed(definition, level, problems)
        if value is not None:
            return value, level.where
    return definition.default, "default"


def _parsed(definition: Definition, level: _Level, problems: list[SettingsError]) -> Any:
    raw = level.values.get(definition.name)
    if raw is None:
        return None
    try:
        return definition.parse(raw)
    except (ValueError, TypeError) as exc:
        key = definition.variable if level.where == "environment" else definition.name
        mend = f"{definition.meaning}; default: {_shown(definition.default)}"
        problems.append(SettingsError(level.where, key, str(exc), mend))
        return None


def _shown(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)
