"""One migration over the documents of two configurations: `app:server.port`, `logging:level`.

Tables of operations and the exact texts of both documents. Of every row is also checked that a
second run changes nothing where it should not, and that the journal of each document is empty if
and only if its text is as it was.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from configparser import ConfigParser
from typing import Any

import pytest
import yaml

from confmig.core.bundle.manifest import Config, Migration
from confmig.documents import chain, formats
from confmig.documents.model.document import Document
from confmig.documents.model.document_set import DocumentSet
from confmig.documents.model.editor import Editor
from confmig.documents.operations import Context, load
from confmig.errors import Problem, Refused
from confmig.worker import regex

CONTEXT = Context(
    custom=lambda name, document, item: document.set("handled_by", name),
    substitute=regex.substitute,
    search=regex.search,
    groups=regex.groups,
)
NAMES = ("app", "logging")

APP = """\
# by hand

server:
  port: 8080  # the port
  host: 'localhost'
level: info   # how much
hosts: [b, c]
"""
LOGGING = """\
# the logs

level: warn
hosts:
  - a   # first
  - b
"""

Sources = Mapping[str, tuple[str, str]]
"""Configuration -> the format and the text of its document."""


def operations(text: str) -> list[Any]:
    data: Any = yaml.safe_load(text)
    return data if isinstance(data, list) else [data]


def problems(text: str, names: tuple[str, ...] = NAMES) -> list[Problem]:
    """What is wrong with operations when they are read."""
    return load(operations(text), "migrations/0001_m.yaml", dict.fromkeys(names, "yaml"))[1]


def documents(sources: Sources) -> dict[str, Document]:
    return {
        name: formats.parse(text.encode(), format=format, dialect="go-yaml")
        for name, (format, text) in sources.items()
    }


def perform(
    sources: Sources, *written: str, sets: tuple[tuple[str, ...], ...] = ()
) -> tuple[dict[str, Document], dict[str, list[chain.Step]]]:
    """Run migrations, each operations as YAML, on documents; ``sets`` says which each changes."""
    programs = []
    for number, text in enumerate(written, 1):
        names = sets[number - 1] if sets else tuple(sources)
        loaded, found = load(operations(text), "m", dict.fromkeys(names, "yaml"))
        assert not found, found
        one = Migration(
            f"{number:04d}_m", number, "online", dict.fromkeys(names, number), (), "", "normal", "c"
        )
        programs.append(chain.Program(one, tuple(loaded)))
    made = documents(sources)
    configs = [Config(name, (name,), format, None) for name, (format, _) in sources.items()]
    steps = chain.run_set(made, configs, programs, CONTEXT, lambda *_: None)
    return made, steps


def texts(sources: Sources, *written: str) -> list[str]:
    """The texts of all documents after migrations."""
    made, _ = perform(sources, *written)
    out = []
    for name, document in made.items():
        text = formats.render(document).data.decode()
        assert bool(document.changes) == (text != sources[name][1])
        out.append(text)
    return out


def pair(app: str = APP, logging: str = LOGGING) -> dict[str, tuple[str, str]]:
    return {"app": ("yaml", app), "logging": ("yaml", logging)}


def refusal(sources: Sources, text: str) -> Refused:
    """How an operation is refused; always with migration and operation in the message."""
    with pytest.raises(Refused) as caught:
        texts(sources, text)
    return caught.value


# --- every path names its configuration

NAMELESS = {
    "move from": "move: {from: level, to: 'logging:x'}",
    "move to": "move: {from: 'app:level', to: x}",
    "an unknown name": "move: {from: 'app:level', to: 'web:x'}",
    "a name only by its look": "delete: 'apps:level'",
    "rename_section": "rename_section: {from: 'app:a', to: b}",
    "delete": "delete: level",
    "delete in long": "delete: {path: level}",
    "set": "set: {path: level, value: 1}",
    "default": "default: {path: level, value: 1}",
    "nest": "nest: {path: level, under: x}",
    "nest the whole document": "nest: {path: '', under: x}",
    "hoist": "hoist: {path: level, key: x}",
    "wrap_list": "wrap_list: level",
    "unwrap_list": "unwrap_list: level",
    "add_item": "add_item: {path: hosts, value: 1}",
    "insert_after": "insert_after: {path: hosts, after: 1, value: 2}",
    "remove_items": "remove_items: {path: hosts, values: [1]}",
    "gather to": "gather: {from: ['app:level'], to: x}",
    "one of those gathered": "gather: {from: ['app:level', level], to: 'logging:x'}",
    "list_to_map": "list_to_map: {path: hosts, key: n}",
    "map_to_list": "map_to_list: {path: server, key: n}",
    "map_value": "map_value: {path: level, map: {a: b}}",
    "map_items": "map_items: {path: hosts, map: {a: b}}",
    "convert": "convert: {path: level, to: int}",
    "replace": "replace: {path: level, regex: a, with: b}",
    "format to": "format: {to: x, template: 'a'}",
    "a field of a template": "format: {to: 'app:x', template: '{app:level}-{level}'}",
    "split from": "split: {from: level, regex: '(?P<a>.*)', to: {a: 'app:x'}}",
    "a target of split": "split: {from: 'app:level', regex: '(?P<a>.*)', to: {a: x}}",
    "note": "note: {path: level, text: t}",
    "manual": "manual: {path: level, reason: t}",
    "custom": "custom: handlers/x.py",
    "for_each": "{set: {path: x, value: 1}, for_each: {path: 'servers[*]', other_types: skip}}",
    "when exists": "{delete: 'app:x', when: {exists: level}}",
    "when truthy": "{delete: 'app:x', when: {truthy: level}}",
    "when equals": "{delete: 'app:x', when: {equals: {path: level, value: 1}}}",
    "when in": "{delete: 'app:x', when: {in: {path: level, values: [1]}}}",
    "when type": "{delete: 'app:x', when: {type: {path: level, is: int}}}",
    "when matches": "{delete: 'app:x', when: {matches: {path: level, regex: a}}}",
    "when not": "{delete: 'app:x', when: {not: {exists: level}}}",
    "one of when all": "{delete: 'app:x', when: {all: [{exists: 'app:a'}, {exists: level}]}}",
    "one of when any": "{delete: 'app:x', when: {any: [{exists: 'app:a'}, {exists: level}]}}",
}


@pytest.mark.parametrize("text", NAMELESS.values(), ids=NAMELESS.keys())
def test_a_path_without_its_configuration_is_refused_with_place_and_fix(text: str) -> None:
    found = problems(text)
    assert {p.code for p in found} == {"operation_invalid"}, found
    for problem in found:
        assert "migrations/0001_m.yaml: operation 1" in problem.place
        assert problem.fix
        assert "app:" in problem.message + problem.fix, "it does not say how to begin the path"


def test_every_bad_operation_is_told_with_its_number() -> None:
    found = problems("[{delete: level}, {delete: 'app:level'}, {set: {path: x, value: 1}}]")
    assert [p.place.partition("operation ")[2][:1] for p in found] == ["1", "3"]


@pytest.mark.parametrize("path", ["app:", "logging:", ":level", ":"])
def test_a_name_alone_or_no_name_is_no_path(path: str) -> None:
    found = problems(f"set: {{path: '{path}', value: 1}}")
    assert [p.code for p in found] == ["operation_invalid"]


def test_wildcards_are_refused_where_one_place_is_meant() -> None:
    assert [p.code for p in problems("move: {from: 'app:a[*]', to: 'logging:b'}")] == [
        "operation_invalid"
    ]
    assert problems("delete: 'app:a[*]'") == []


@pytest.mark.parametrize(
    "text",
    [
        "move: {from: 'app:level', to: 'logging:x'}",
        "gather: {from: ['app:a', 'logging:b'], to: 'logging:x'}",
        "format: {to: 'app:x', template: '{app:host}:{logging:port} {{plain}}'}",
        "split: {from: 'app:a', regex: '(?P<a>.*)', to: {a: 'logging:x'}}",
        "custom: 'logging:handlers/x.py'",
        "note: a text",
        "manual: a reason",
        "{set: {path: x, value: 1}, for_each: {path: 'app:a[*]', other_types: skip}}",
        "{set: {path: x, value: 1}, when: {exists: y}, "
        "for_each: {path: 'app:a[*]', other_types: skip}}",
        "{set: {path: 'logging:x', value: 1}, when: {exists: 'logging:y'}, "
        "for_each: {path: 'app:a[*]', other_types: skip}}",
    ],
)
def test_what_says_its_configuration_everywhere_is_accepted(text: str) -> None:
    assert problems(text) == []


def test_the_first_colon_ends_the_name_and_later_ones_belong_to_the_key() -> None:
    app, logging = texts(pair(), "set: {path: 'app:a:b.logging:c', value: 1}")
    assert yaml.safe_load(app)["a:b"] == {"logging:c": 1}
    assert logging == LOGGING


def test_for_one_configuration_its_own_name_may_begin_a_path() -> None:
    loaded, found = load(operations("move: {from: 'app:level', to: x}"), "m", {"app": "yaml"})
    assert found == []
    [document] = documents({"app": ("yaml", "'app:level': 1\nlevel: 2\n")}).values()
    loaded[0].run(document, CONTEXT)
    assert yaml.safe_load(formats.render(document).data) == {"app:level": 1, "x": 2}


def test_for_one_configuration_another_ones_name_is_refused() -> None:
    text = "move: {from: level, to: 'logging:x'}"
    _, [problem] = load(operations(text), "m", {"app": "yaml"}, ("logging",))
    assert "does not set the configuration `logging`" in problem.message


def test_another_colon_is_a_part_of_the_key() -> None:
    text = "move: {from: 'a:level', to: \"['app:x']\"}"
    loaded, found = load(operations(text), "m", {"app": "yaml"}, ("logging",))
    assert found == []
    [document] = documents({"app": ("yaml", "'a:level': 1\n")}).values()
    loaded[0].run(document, CONTEXT)
    assert yaml.safe_load(formats.render(document).data) == {"app:x": 1}


def test_for_one_configuration_a_handler_may_have_a_colon_in_its_name() -> None:
    loaded, found = load([{"custom": "handlers/a:b.py"}], "m", {"app": "yaml"})
    assert found == []
    [document] = documents({"app": ("yaml", "x: 1\n")}).values()
    loaded[0].run(document, CONTEXT)
    assert document.get("handled_by") == "handlers/a:b.py"


def test_migrations_of_one_configuration_in_the_same_chain_treat_a_colon_as_text() -> None:
    sources = pair("'logging:level': 1\n", "level: 2\n")
    made, steps = perform(
        sources,
        "move: {from: 'logging:level', to: \"['app:level']\"}",
        "move: {from: \"app:['app:level']\", to: 'logging:moved'}",
        sets=(("app",), NAMES),
    )
    rendered = {n: yaml.safe_load(formats.render(d).data) for n, d in made.items()}
    assert rendered == {"app": None, "logging": {"level": 2, "moved": 1}} or rendered == {
        "app": {},
        "logging": {"level": 2, "moved": 1},
    }
    assert [s.migration.id for s in steps["app"]] == ["0001_m", "0002_m"]
    assert [s.migration.id for s in steps["logging"]] == ["0002_m"]


def test_a_step_of_one_configuration_behind_a_common_one_names_places_without_it() -> None:
    with pytest.raises(Refused) as caught:
        perform(
            pair(),
            "set: {path: 'app:x', value: 1}",
            "set: {path: level.deep, value: 1}",
            sets=(NAMES, ("app",)),
        )
    assert caught.value.place == "level"
    assert caught.value.message.startswith("0002_m: ")


# --- move from one document to the other

ON_CONFLICT = {
    "nothing there": (
        "move: {from: 'app:server.port', to: 'logging:port'}",
        APP.replace("  port: 8080  # the port\n", ""),
        LOGGING + "port: 8080\n",
    ),
    "missing parents": (
        "move: {from: 'app:server.port', to: 'logging:net.tcp.port'}",
        APP.replace("  port: 8080  # the port\n", ""),
        LOGGING + "net:\n  tcp:\n    port: 8080\n",
    ),
    "an absent source": ("move: {from: 'app:nothing', to: 'logging:net.tcp'}", APP, LOGGING),
    "an absent source with everything": (
        "move: {from: 'app:server.x.y', to: 'logging:level.x', wrap: true, on_conflict: append}",
        APP,
        LOGGING,
    ),
    "the other way": (
        "move: {from: 'logging:level', to: 'app:server.level'}",
        APP.replace("  host: 'localhost'\n", "  host: 'localhost'\n  level: warn\n"),
        LOGGING.replace("level: warn\n", ""),
    ),
    "an object": (
        "move: {from: 'app:server', to: 'logging:server'}",
        "# by hand\n\nlevel: info   # how much\nhosts: [b, c]\n",
        LOGGING + "server:\n  port: 8080\n  host: localhost\n",
    ),
    "wrap": (
        "move: {from: 'app:level', to: 'logging:levels', wrap: true}",
        APP.replace("level: info   # how much\n", ""),
        LOGGING + "levels:\n  - info\n",
    ),
    "wrap a list": (
        "move: {from: 'app:hosts', to: 'logging:more', wrap: true}",
        APP.replace("hosts: [b, c]\n", ""),
        LOGGING + "more:\n  - b\n  - c\n",
    ),
    "keep": (
        "move: {from: 'app:level', to: 'logging:level', on_conflict: keep}",
        APP.replace("level: info   # how much\n", ""),
        LOGGING,
    ),
    "overwrite": (
        "move: {from: 'app:level', to: 'logging:level', on_conflict: overwrite}",
        APP.replace("level: info   # how much\n", ""),
        LOGGING.replace("warn", "info"),
    ),
    "overwrite by an object": (
        "move: {from: 'app:server', to: 'logging:level', on_conflict: overwrite}",
        "# by hand\n\nlevel: info   # how much\nhosts: [b, c]\n",
        LOGGING.replace("level: warn\n", "level:\n  port: 8080\n  host: localhost\n"),
    ),
    "append": (
        "move: {from: 'app:hosts', to: 'logging:hosts', on_conflict: append}",
        APP.replace("hosts: [b, c]\n", ""),
        LOGGING + "  - b\n  - c\n",
    ),
    "append_unique": (
        "move: {from: 'app:hosts', to: 'logging:hosts', on_conflict: append_unique}",
        APP.replace("hosts: [b, c]\n", ""),
        LOGGING + "  - c\n",
    ),
    "prepend": (
        "move: {from: 'app:hosts', to: 'logging:hosts', on_conflict: prepend}",
        APP.replace("hosts: [b, c]\n", ""),
        LOGGING.replace("  - a ", "  - b\n  - c\n  - a "),
    ),
    "append one value": (
        "move: {from: 'app:level', to: 'logging:hosts', on_conflict: append}",
        APP.replace("level: info   # how much\n", ""),
        LOGGING + "  - info\n",
    ),
    "append one wrapped value": (
        "move: {from: 'app:level', to: 'logging:hosts', on_conflict: append, wrap: true}",
        APP.replace("level: info   # how much\n", ""),
        LOGGING + "  - info\n",
    ),
    "prepend one value": (
        "move: {from: 'app:level', to: 'logging:hosts', on_conflict: prepend}",
        APP.replace("level: info   # how much\n", ""),
        LOGGING.replace("  - a ", "  - info\n  - a "),
    ),
    "within one of them": (
        "move: {from: 'logging:level', to: 'logging:how'}",
        APP,
        LOGGING.replace("level", "how"),
    ),
    "both directions": (
        "[{move: {from: 'app:level', to: 'logging:theirs'}},"
        " {move: {from: 'logging:level', to: 'app:level'}},"
        " {move: {from: 'logging:theirs', to: 'logging:level'}}]",
        APP.replace("level: info   # how much\n", "") + "level: warn\n",
        LOGGING.replace("level: warn\n", "") + "level: info\n",
    ),
}


@pytest.mark.parametrize(("text", "app", "logging"), ON_CONFLICT.values(), ids=ON_CONFLICT.keys())
def test_move(text: str, app: str, logging: str) -> None:
    assert texts(pair(), text) == [app, logging]
    if "both" not in text and "theirs" not in text:
        assert texts(pair(app, logging), text) == [app, logging], "a second run changes it again"


def test_the_same_value_at_the_target_is_no_conflict() -> None:
    text = "move: {from: 'app:a', to: 'logging:a'}"
    assert texts(pair("a: 1\nz: 1\n", "# c\na: 0x1\n"), text) == ["z: 1\n", "# c\na: 0x1\n"]


def test_another_value_at_the_target_is_refused_with_its_place() -> None:
    error = refusal(pair(), "move: {from: 'app:level', to: 'logging:level'}")
    assert (error.code, error.place) == ("target_exists", "logging:level")
    assert error.fix
    assert error.message.startswith("0001_m: operation 1 (move): ")
    assert "warn" not in str(error)
    assert "info" not in str(error)


ACROSS: dict[str, tuple[tuple[str, str], tuple[str, str], str, str, str]] = {
    "yaml to toml": (
        ("yaml", APP),
        ("toml", '# t\ntitle = "x" # c\n\n[log]\n# lev\nlevel = "info"\n'),
        "move: {from: 'app:server', to: 'logging:server'}",
        "# by hand\n\nlevel: info   # how much\nhosts: [b, c]\n",
        '# t\ntitle = "x" # c\n\n[log]\n# lev\nlevel = "info"\n'
        '\n[server]\nport = 8080\nhost = "localhost"\n',
    ),
    "yaml to a table of toml": (
        ("yaml", APP),
        ("toml", '# t\n[log]\n# lev\nlevel = "info"\n\n[[out]]\nn = 1\n'),
        "move: {from: 'app:server.port', to: 'logging:log.port'}",
        APP.replace("  port: 8080  # the port\n", ""),
        '# t\n[log]\n# lev\nlevel = "info"\nport = 8080\n\n[[out]]\nn = 1\n',
    ),
    "toml to json": (
        ("toml", '# t\ntitle = "x" # c\n\n[log]\nlevel = "info"\nn = 1_000\n'),
        ("json", '{\n  "a": 1.50\n}\n'),
        "move: {from: 'app:log', to: 'logging:log'}",
        '# t\ntitle = "x" # c\n',
        '{\n  "a": 1.50,\n  "log": {\n    "level": "info",\n    "n": 1000\n  }\n}\n',
    ),
    "an array of tables to a list of json": (
        ("toml", 'title = "x" # c\n\n[[out]]\nn = 1\n\n[[out]]\nn = 2\n'),
        ("json", '{"l": [1]}\n'),
        "move: {from: 'app:out', to: 'logging:l', on_conflict: append}",
        'title = "x" # c\n',
        '{"l": [1, {"n": 1}, {"n": 2}]}\n',
    ),
    "yaml to ini": (
        ("yaml", APP),
        ("ini", "; i\n[main]\nk=v\n\n[net]\nx = 1\n"),
        "move: {from: 'app:server.port', to: 'logging:main.port'}",
        APP.replace("  port: 8080  # the port\n", ""),
        "; i\n[main]\nk=v\nport=8080\n\n[net]\nx = 1\n",
    ),
    "an object to a section of ini": (
        ("yaml", APP),
        ("ini", "; i\n[main]\nk = v\n"),
        "move: {from: 'app:server', to: 'logging:server'}",
        "# by hand\n\nlevel: info   # how much\nhosts: [b, c]\n",
        "; i\n[main]\nk = v\n\n[server]\nport = 8080\nhost = localhost\n",
    ),
    "a section of ini to toml": (
        ("ini", "; i\n[main]\nk = v\n\n[net]\nx=1\n"),
        ("toml", "a = 1\n"),
        "move: {from: 'app:net', to: 'logging:net'}",
        "; i\n[main]\nk = v\n",
        'a = 1\n\n[net]\nx = "1"\n',
    ),
    "a section with rename_section": (
        ("ini", "; i\n[main]\nk = v\n\n[net]\nx=1\n"),
        ("toml", "a = 1\n"),
        "rename_section: {from: 'app:net', to: 'logging:other'}",
        "; i\n[main]\nk = v\n",
        'a = 1\n\n[other]\nx = "1"\n',
    ),
    "json to yaml": (
        ("json", '{\n  "a": 1,\n  "l": [null, true, "no"]\n}\n'),
        ("yaml", "# y\nb: 1 # b\n"),
        "move: {from: 'app:l', to: 'logging:l'}",
        '{\n  "a": 1\n}\n',
        "# y\nb: 1 # b\nl:\n  - null\n  - true\n  - 'no'\n",
    ),
    "properties to dotenv": (
        ("properties", "# p\na.b=1\nc=2\n"),
        ("dotenv", "# d\nexport A=1\n"),
        "move: {from: 'app:c', to: 'logging:C'}",
        "# p\na.b=1\n",
        "# d\nexport A=1\nexport C=2\n",
    ),
    "jsonc to json5": (
        ("jsonc", '{\n  // one\n  "a": 1,\n  "b": 2 // two\n}\n'),
        ("json5", "{\n  level: 1,\n}\n"),
        "move: {from: 'app:b', to: 'logging:b'}",
        '{\n  // one\n  "a": 1\n}\n',
        "{\n  level: 1,\n  b: 2,\n}\n",
    ),
    "null as the zero value of a type": (
        ("yaml", "n: ~\nz: 1\n"),
        ("toml", "a = 1\n"),
        "move: {from: 'app:n', to: 'logging:n', type: string}",
        "z: 1\n",
        'a = 1\nn = ""\n',
    ),
}


def _read(format: str, text: str) -> Any:
    if format == "toml":
        return tomllib.loads(text)
    if format == "json":
        return json.loads(text)
    if format == "yaml":
        return yaml.safe_load(text)
    if format == "ini":
        parser = ConfigParser(interpolation=None)
        parser.read_string(text)
        return {s: dict(parser[s]) for s in parser.sections()}
    return None


@pytest.mark.parametrize(
    ("app", "logging", "text", "app_after", "logging_after"), ACROSS.values(), ids=ACROSS.keys()
)
def test_move_across_formats(
    app: tuple[str, str],
    logging: tuple[str, str],
    text: str,
    app_after: str,
    logging_after: str,
) -> None:
    got = texts({"app": app, "logging": logging}, text)
    _read(app[0], got[0])  # another reader takes both
    _read(logging[0], got[1])
    lines = [line.rstrip("\n") for line in got]  # how many lines end a file is not meant here
    assert lines == [app_after.rstrip("\n"), logging_after.rstrip("\n")]


@pytest.mark.parametrize("format", ["yaml", "json", "toml"])
def test_a_document_without_content_can_be_the_target(format: str) -> None:
    empty = "{}" if format == "json" else ""
    _, logging = texts(
        {"app": ("yaml", APP), "logging": (format, empty)},
        "move: {from: 'app:server.port', to: 'logging:net.port'}",
    )
    assert _read(format, logging) == {"net": {"port": 8080}}


DATES = ("2020-01-02", "10:11:12", "2020-01-02T10:11:12", "2020-01-02T10:11:12Z")


@pytest.mark.parametrize("format", ["yaml", "json", "ini", "toml"])
@pytest.mark.parametrize("date", DATES)
def test_a_date_of_toml_arrives_as_its_text_or_is_refused_as_unsupported(
    format: str, date: str
) -> None:
    sources = {"app": ("toml", f"d = {date}\n"), "logging": (format, "{}" if "j" in format else "")}
    code, logging = "", ""
    try:
        _, logging = texts(sources, "move: {from: 'app:d', to: 'logging:d'}")
    except Refused as error:
        code = error.code
    assert code in ("", "value_unsupported", "value_leaves_document")
    assert code or date in logging


SHARED = "a: &x [1, 2]\nb: *x\nt: !foo 1\nm: {k: [1, &y 2]}\nl: !foo [1]\nz: 1\n"


@pytest.mark.parametrize("source", ["a", "b", "t", "m", "l"])
@pytest.mark.parametrize(
    "more",
    ["to: 'logging:new'", "to: 'logging:level'"]
    + [
        f"to: 'logging:hosts', on_conflict: {how}"
        for how in ("overwrite", "append", "append_unique", "prepend")
    ],
)
def test_a_value_with_anchor_alias_or_tag_does_not_leave_its_document(
    source: str, more: str
) -> None:
    error = refusal(pair(SHARED), f"move: {{from: 'app:{source}', {more}}}")
    assert error.code == "value_leaves_document"
    assert error.place.startswith(f"app:{source}")
    assert error.fix
    assert error.message.startswith("0001_m: operation 1 (move): ")


def test_such_a_value_moves_within_its_document() -> None:
    app, logging = texts(pair(SHARED), "move: {from: 'app:t', to: 'app:tt'}")
    assert app == SHARED.replace("t: !foo 1", "tt: !foo 1")
    assert logging == LOGGING


def test_a_new_text_with_a_tag_does_not_move_to_another_document() -> None:
    error = refusal(
        pair("version: 1\na: !secret old\n", "version: 1\nb: 1\n"),
        "[replace: {path: 'app:a', regex: old, with: new}, move: {from: 'app:a', to: 'logging:a'}]",
    )
    assert error.code == "value_leaves_document"


@pytest.mark.parametrize("source", ["t", "l"])
def test_gather_does_not_take_a_tagged_value_to_another_document(source: str) -> None:
    error = refusal(pair(SHARED), f"gather: {{from: ['app:{source}'], to: 'logging:new'}}")
    assert error.code == "value_leaves_document"
    assert error.place == f"app:{source}"


# --- the other operations, within one of the documents and across both

OTHERS = {
    "set": ("set: {path: 'logging:net.port', value: 1}", APP, LOGGING + "net:\n  port: 1\n"),
    "set what is there": (
        "set: {path: 'logging:level', value: err}",
        APP,
        LOGGING.replace("warn", "err"),
    ),
    "set the same": ("set: {path: 'logging:level', value: warn}", APP, LOGGING),
    "default": ("default: {path: 'app:x', value: 1}", APP + "x: 1\n", LOGGING),
    "default of what is there": ("default: {path: 'app:level', value: 1}", APP, LOGGING),
    "delete": ("delete: 'app:level'", APP.replace("level: info   # how much\n", ""), LOGGING),
    "delete with wildcards": ("delete: 'logging:hosts[*]'", APP, None),
    "delete and prune": (
        "[{delete: 'app:server.port'}, {delete: {path: 'app:server.host', prune_empty: true}}]",
        "# by hand\n\nlevel: info   # how much\nhosts: [b, c]\n",
        LOGGING,
    ),
    "nest": (
        "nest: {path: 'logging:level', under: root}",
        APP,
        LOGGING.replace("level: warn\n", "level:\n  root: warn\n"),
    ),
    "hoist": (
        "[{delete: 'app:server.host'}, {hoist: {path: 'app:server', key: port}}]",
        APP.replace("server:\n  port: 8080 ", "server: 8080").replace("  host: 'localhost'\n", ""),
        LOGGING,
    ),
    "wrap_list": (
        "wrap_list: 'logging:level'",
        APP,
        LOGGING.replace("level: warn\n", "level:\n  - warn\n"),
    ),
    "unwrap_list": (
        "unwrap_list: {path: 'app:hosts', many: last}",
        APP.replace("[b, c]", "c"),
        LOGGING,
    ),
    "add_item": ("add_item: {path: 'logging:hosts', value: z}", APP, LOGGING + "  - z\n"),
    "add_item to no list": (
        "add_item: {path: 'logging:more', value: z}",
        APP,
        LOGGING + "more:\n  - z\n",
    ),
    "insert_after": (
        "insert_after: {path: 'app:hosts', after: b, value: x}",
        APP.replace("[b, c]", "[b, x, c]"),
        LOGGING,
    ),
    "remove_items": (
        "remove_items: {path: 'logging:hosts', values: [b]}",
        APP,
        LOGGING.replace("  - b\n", ""),
    ),
    "map_value": (
        "map_value: {path: 'logging:level', map: {warn: warning}}",
        APP,
        LOGGING.replace("warn", "warning"),
    ),
    "map_items": (
        "map_items: {path: 'app:hosts', map: {b: x}}",
        APP.replace("[b,", "[x,"),
        LOGGING,
    ),
    "convert": (
        "convert: {path: 'app:server.port', to: string}",
        APP.replace("8080", "'8080'"),
        LOGGING,
    ),
    "replace": (
        "replace: {path: 'logging:level', regex: 'w(.)rn', with: 'W\\1RN'}",
        APP,
        LOGGING.replace("warn", "WaRN"),
    ),
    "gather as listed": (
        "gather: {from: ['logging:level', 'app:level'], to: 'logging:all', order: listed}",
        APP.replace("level: info   # how much\n", ""),
        LOGGING.replace("level: warn\n", "") + "all:\n  - warn\n  - info\n",
    ),
    "gather and keep": (
        "gather: {from: ['app:level', 'logging:level'], to: 'app:all', order: listed, keep: true}",
        APP + "all:\n  - info\n  - warn\n",
        LOGGING,
    ),
    "gather behind a list over there": (
        "gather: {from: ['app:level', 'app:hosts'], to: 'logging:hosts', "
        "on_conflict: append_unique}",
        "# by hand\n\nserver:\n  port: 8080  # the port\n  host: 'localhost'\n",
        LOGGING + "  - info\n  - c\n",
    ),
    "gather nothing": ("gather: {from: ['app:q', 'logging:q'], to: 'app:all'}", APP, LOGGING),
    "format of fields of both": (
        "format: {to: 'logging:addr', template: '{app:server.host}/{logging:level}{{}}'}",
        APP,
        LOGGING + "addr: localhost/warn{}\n",
    ),
    "format and consume": (
        "format: {to: 'logging:addr', template: '{app:level}/{logging:level}', consume: true}",
        APP.replace("level: info   # how much\n", ""),
        LOGGING.replace("level: warn\n", "") + "addr: info/warn\n",
    ),
    "format with a default": (
        "format: {to: 'app:x', template: '{app:level}{logging:q}', defaults: {'logging:q': 1}}",
        APP + "x: info1\n",
        LOGGING,
    ),
    "format without a field": (
        "format: {to: 'app:x', template: '{app:level}{logging:q}'}",
        APP,
        LOGGING,
    ),
    "split to both": (
        "split: {from: 'app:level', regex: '(?P<a>..)(?P<b>..)', "
        "to: {a: 'logging:net.a', b: 'app:rest'}}",
        APP.replace("level: info   # how much\n", "") + "rest: fo\n",
        LOGGING + "net:\n  a: in\n",
    ),
    "split and keep": (
        "split: {from: 'logging:level', regex: '(?P<a>w).*', to: {a: 'app:a'}, keep: true}",
        APP + "a: w\n",
        LOGGING,
    ),
    "when of the other document": (
        "{delete: 'app:level', when: {equals: {path: 'logging:level', value: warn}}}",
        APP.replace("level: info   # how much\n", ""),
        LOGGING,
    ),
    "when not of the other document": (
        "{delete: 'app:level', when: {not: {equals: {path: 'logging:level', value: warn}}}}",
        APP,
        LOGGING,
    ),
    "when of both": (
        "{set: {path: 'logging:x', value: 1}, when: {all: [{exists: 'app:server.port'}, "
        "{matches: {path: 'logging:level', regex: '^w'}}, {truthy: 'app:level'}, "
        "{in: {path: 'logging:level', values: [warn]}}, "
        "{type: {path: 'app:hosts', is: list}}]}}",
        APP,
        LOGGING + "x: 1\n",
    ),
    "when sees what came before": (
        "[{move: {from: 'app:level', to: 'logging:new'}}, "
        "{set: {path: 'app:gone', value: true}, when: {exists: 'logging:new'}}]",
        APP.replace("level: info   # how much\n", "") + "gone: true\n",
        LOGGING + "new: info\n",
    ),
    "custom on the first": (
        "custom: 'app:handlers/x.py'",
        APP + "handled_by: handlers/x.py\n",
        LOGGING,
    ),
    "custom on the second": (
        "custom: 'logging:handlers/x.py'",
        APP,
        LOGGING + "handled_by: handlers/x.py\n",
    ),
    "note": ("note: {path: 'logging:level', text: t}", APP, LOGGING),
    "manual without its place": ("manual: {path: 'logging:q', reason: t}", APP, LOGGING),
}


@pytest.mark.parametrize(("text", "app", "logging"), OTHERS.values(), ids=OTHERS.keys())
def test_operations(text: str, app: str, logging: str | None) -> None:
    got = texts(pair(), text)
    assert got[0] == app
    if logging is not None:
        assert got[1] == logging
    else:
        assert not yaml.safe_load(got[1])["hosts"]


def test_a_list_becomes_a_map_and_back_in_one_of_the_documents() -> None:
    source = "# c\nusers:\n  - name: a # a\n    id: 1\n  - {name: b, id: 2}\n"
    made, logging = texts(pair(source), "list_to_map: {path: 'app:users', key: name}")
    assert yaml.safe_load(made) == {"users": {"a": {"id": 1}, "b": {"id": 2}}}
    assert logging == LOGGING
    back, _ = texts(pair(made), "map_to_list: {path: 'app:users', key: name}")
    assert yaml.safe_load(back) == yaml.safe_load(source)


def test_a_merge_key_is_refused_as_in_one_document() -> None:
    source = "base: &b {q: {r: 1}}\nm:\n  <<: *b\n  a: {x: 1}\n"
    inline = "m:\n  <<: {q: {r: 1}}\n  a: {x: 1}\n"
    for text in (source, inline):
        alone = documents({"app": ("yaml", text)})["app"]
        loaded, _ = load([{"map_to_list": {"path": "m", "key": "k"}}], "m")
        with pytest.raises(Refused) as caught:
            loaded[0].run(alone, CONTEXT)
        assert caught.value.code == "merge_key"
        error = refusal(pair(text), "map_to_list: {path: 'app:m', key: k}")
        assert (error.code, error.place) == ("merge_key", "app:m")


# --- for_each

KIDS = "# c\nkids:\n  - name: a # a\n    z: 1\n  - {name: b, z: 2}\n  - 7\n"
EACH = "for_each: {path: 'app:kids[*]', other_types: skip}"


def test_paths_below_for_each_begin_at_the_item() -> None:
    app, logging = texts(pair(KIDS), f"{{move: {{from: z, to: deep.zz}}, {EACH}}}")
    assert yaml.safe_load(app)["kids"] == [
        {"name": "a", "deep": {"zz": 1}},
        {"name": "b", "deep": {"zz": 2}},
        7,
    ]
    assert logging == LOGGING


def test_when_below_for_each_is_about_the_item_or_with_a_name_about_a_document() -> None:
    only = f"{{set: {{path: seen, value: 1}}, when: {{equals: {{path: name, value: b}}}}, {EACH}}}"
    app, _ = texts(pair(KIDS), only)
    assert app == KIDS.replace("z: 2}", "z: 2, seen: 1}")
    for value, count in (("warn", 2), ("info", 0)):
        about = f"{{equals: {{path: 'logging:level', value: {value}}}}}"
        app, _ = texts(pair(KIDS), f"{{set: {{path: seen, value: 1}}, when: {about}, {EACH}}}")
        assert app.count("seen: 1") == count


def test_an_absolute_path_below_for_each_is_of_its_document() -> None:
    text = f"{{set: {{path: 'logging:seen', value: true}}, when: {{exists: name}}, {EACH}}}"
    assert texts(pair(KIDS), text) == [KIDS, LOGGING + "seen: true\n"]


def test_each_item_may_move_something_to_the_other_document() -> None:
    move = "move: {from: name, to: 'logging:hosts', on_conflict: append_unique}"
    app, logging = texts(pair(KIDS), f"{{{move}, {EACH}}}")
    assert yaml.safe_load(app) == {"kids": [{"z": 1}, {"z": 2}, 7]}
    assert yaml.safe_load(logging)["hosts"] == ["a", "b"]
    assert logging == LOGGING


def test_a_format_below_for_each_takes_fields_of_the_item_and_of_a_document() -> None:
    text = f"{{format: {{to: id, template: '{{name}}-{{logging:level}}'}}, {EACH}}}"
    app, _ = texts(pair(KIDS), text)
    assert [k["id"] for k in yaml.safe_load(app)["kids"][:2]] == ["a-warn", "b-warn"]


def test_an_item_of_another_type_is_an_error_with_its_place() -> None:
    text = f"{{set: {{path: y, value: 1}}, {EACH.replace('skip', 'error')}}}"
    error = refusal(pair(KIDS), text)
    assert (error.code, error.place) == ("wrong_type", "app:kids[2]")


def test_for_each_follows_its_path_again_from_every_item() -> None:
    source = "tree:\n  kids:\n    - n: 1\n      tree: {kids: [{n: 2}]}\n    - n: 3\n"
    each = "for_each: {path: 'app:tree.kids[*]', other_types: skip, recursive: true}"
    app, _ = texts(pair(source), f"{{set: {{path: seen, value: true}}, {each}}}")
    top, last = yaml.safe_load(app)["tree"]["kids"]
    assert top["seen"] is True
    assert last["seen"] is True
    assert top["tree"]["kids"] == [{"n": 2, "seen": True}]


def test_for_each_over_the_second_document() -> None:
    text = "{set: {path: seen, value: 1}, for_each: {path: 'logging:kids[*]', other_types: skip}}"
    assert texts(pair(APP, KIDS), text)[0] == APP
    assert texts(pair(APP, KIDS), text)[1].count("seen: 1") == 2


# --- places and refusals

REFUSED = {
    "a scalar in the way": (
        "move: {from: 'app:server.port', to: 'logging:level.port'}",
        "wrong_type",
        "logging:level",
    ),
    "a scalar where an object is expected": (
        "delete: 'app:level.deep'",
        "wrong_type",
        "app:level",
    ),
    "no list to append to": (
        "move: {from: 'app:level', to: 'logging:level', on_conflict: append}",
        "wrong_type",
        "logging:level",
    ),
    "another type": (
        "move: {from: 'app:level', to: 'logging:x', type: int}",
        "wrong_type",
        "app:level",
    ),
    "not convertible": (
        "convert: {path: 'logging:level', to: int}",
        "not_convertible",
        "logging:level",
    ),
    "not splittable": (
        "split: {from: 'app:level', regex: '(?P<a>x)', to: {a: 'logging:a'}}",
        "not_splittable",
        "app:level",
    ),
    "many items": ("unwrap_list: 'logging:hosts'", "not_one_item", "logging:hosts"),
    "an item without a key": (
        "list_to_map: {path: 'logging:hosts', key: n}",
        "not_keyed",
        "logging:hosts[0]",
    ),
    "an item that is missing": (
        "insert_after: {path: 'app:hosts', after: q, value: 1}",
        "item_missing",
        "app:hosts",
    ),
    "other keys": ("hoist: {path: 'app:server', key: port}", "hoist_others", "app:server"),
    "a decision": (
        "manual: {path: 'logging:level', reason: why}",
        "manual_decision",
        "logging:level",
    ),
    "sections": (
        "rename_section: {from: 'app:server', to: 'logging:hosts'}",
        "target_exists",
        "logging:hosts",
    ),
    "gather onto something": (
        "gather: {from: ['app:level'], to: 'logging:level'}",
        "target_exists",
        "logging:level",
    ),
    "a field that is no scalar": (
        "format: {to: 'logging:x', template: '{app:server}'}",
        "wrong_type",
        "app:server",
    ),
}


@pytest.mark.parametrize(("text", "code", "place"), REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_names_the_document_of_its_place(text: str, code: str, place: str) -> None:
    error = refusal(pair(), f"[{{set: {{path: 'app:z', value: 1}}}}, {{{text}}}]")
    assert (error.code, error.place) == (code, place)
    assert error.message.startswith("0001_m: operation 2 (")
    assert error.migration == "0001_m"
    assert error.documents == (place.partition(":")[0],)


def test_an_anchored_value_is_protected_unless_allow_shared() -> None:
    sources = pair("a: &x [1]\nb: *x\n")
    error = refusal(sources, "add_item: {path: 'app:a', value: 2}")
    assert (error.code, error.place) == ("shared_node", "app:a")
    app, _ = texts(sources, "{add_item: {path: 'app:a', value: 2}, allow_shared: true}")
    assert app == "a: &x [1, 2]\nb: *x\n"
    both = (
        "[{set: {path: 'app:z', value: 1}, allow_shared: true}, "
        "{add_item: {path: 'app:a', value: 2}}]"
    )
    assert refusal(sources, both).code == "shared_node", "it is still allowed in the next operation"


def test_a_note_names_its_document() -> None:
    _, steps = perform(pair(), "[{note: {path: 'logging:level', text: t}}, {note: all}]")
    notes = [note for mine in steps.values() for step in mine for note in step.notes]
    assert [text for _, text in notes] == ["t", "all"]
    assert notes[0][0] == "logging:level"


def test_the_steps_of_each_document_have_its_own_changes() -> None:
    _, steps = perform(pair(), "move: {from: 'app:server.port', to: 'logging:port'}")
    assert [[c.kind for c in s.changes] for s in steps["app"]] == [["removed"]]
    assert [[c.kind for c in s.changes] for s in steps["logging"]] == [["added"]]


def test_a_comment_that_goes_with_a_moved_value_is_moved_or_told() -> None:
    source = "a: 1\n# about b\nb: 2\nc: 3\n"
    made, _ = perform(pair(source), "move: {from: 'app:b', to: 'logging:b'}")
    app, logging = (formats.render(d) for d in made.values())
    if "# about b" not in logging.data.decode():
        assert [source[s:e].strip() for s, e in app.lost_comments] == ["# about b"]


# --- what nobody meant to change stays

ODD = (
    "\ufeff# odd\r\n\"q\":   'x'   # c\r\nlist:   [ 1,2 ,  3 ]\r\n\r\n\r\n"
    "text: |\r\n    kept\r\n      as it is\r\nflag: yes\r\nlast: ~"
)
ODD_TOML = "\ufeff#odd\n[ a . b ]  # c\nx=0x1F\n\ty = '''\nkept'''\n\n\n[[ t ]]\nz = 1_0\n#end"


@pytest.mark.parametrize(
    ("text", "app", "logging"),
    [
        ("set: {path: 'logging:t[0].z', value: 2}", ODD, ODD_TOML.replace("1_0", "2")),
        (
            "move: {from: 'logging:a.b.x', to: 'app:flag', on_conflict: overwrite}",
            ODD.replace("flag: yes", "flag: 31"),
            ODD_TOML.replace("x=0x1F\n", ""),
        ),
        ("delete: 'app:nothing'", ODD, ODD_TOML),
    ],
)
def test_every_other_byte_of_both_documents_stays(text: str, app: str, logging: str) -> None:
    made, _ = perform({"app": ("yaml", ODD), "logging": ("toml", ODD_TOML)}, text)
    got = [formats.render(d).data.decode("utf-8") for d in made.values()]
    assert got == [app, logging]


def test_a_value_that_is_overwritten_from_the_other_document_leaves_all_around_it() -> None:
    made, _ = perform(
        {"app": ("yaml", ODD), "logging": ("toml", ODD_TOML)},
        "move: {from: 'app:list', to: 'logging:a.b.x', on_conflict: overwrite}",
    )
    app, logging = (formats.render(d).data.decode("utf-8") for d in made.values())
    assert app == ODD.replace("list:   [ 1,2 ,  3 ]\r\n", "")
    rest = [line for line in logging.split("\n") if not line.strip().startswith("x")]
    assert rest == ODD_TOML.replace("x=0x1F\n", "").split("\n")
    assert tomllib.loads(logging.removeprefix("\ufeff"))["a"]["b"] == {"x": [1, 2, 3], "y": "kept"}


def test_three_documents_go_together() -> None:
    sources = {**pair(), "web": ("json", "{}\n")}
    app, logging, web = texts(
        sources,
        "[{move: {from: 'app:level', to: 'web:a'}}, {move: {from: 'logging:level', to: 'web:b'}},"
        " {move: {from: 'web:a', to: 'logging:level'}}]",
    )
    assert app == APP.replace("level: info   # how much\n", "")
    assert yaml.safe_load(logging)["level"] == "info"
    assert json.loads(web) == {"b": "warn"}


def test_a_set_is_an_editor_and_no_document() -> None:
    """It has no answer for what only one document can answer."""
    both = {name: formats.parse(b"a: 1\n", format="yaml") for name in ("app", "logging")}
    editor: Editor = DocumentSet(both)
    editor.set("logging:a", 2)
    assert (both["app"].get("a"), both["logging"].get("a")) == (1, 2)
    assert editor.root is None
    with pytest.raises(RuntimeError, match="no common root"):
        _ = editor.root_entry
    assert not hasattr(editor, "get")
    assert not hasattr(editor, "has")
    document: Editor = both["app"]
    assert document.root is both["app"].root
