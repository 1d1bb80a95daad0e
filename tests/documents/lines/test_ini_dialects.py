"""INI as its readers differ.

A real file of each kind is edited, and read back by its own reader where that is installed.
"""

from __future__ import annotations

import configparser
import shutil
import subprocess
from pathlib import Path

import pytest

from confmig.documents import formats
from confmig.documents.model.dialects import UNKNOWN, dialect_of
from confmig.documents.model.document import Document
from confmig.errors import Refused
from confmig.worker.masking import Masker
from tests.documents.operations.test_new_operations import CONTEXT, read


def run(name: str, source: str, operations: str, **said: object) -> tuple[Document, str]:
    """The document and its text after some operations, as a file of that name."""
    lines = dialect_of([name], said)
    document = formats.parse(source.encode(), format="ini", lines=lines)
    for operation in read(operations):
        operation.run(document, CONTEXT)
    text = formats.render(document).data.decode()
    again = formats.parse(text.encode(), format="ini", lines=lines)
    assert formats.render(again).data.decode() == text
    return document, text


PHP = """\
[PHP]
; comment
engine = On
;short_open_tag = Off
memory_limit = 128M ; per script
  max_input_time = 60
error_reporting = E_ALL & ~E_DEPRECATED;all but these
extension=curl
extension=gd
[Session]
session.save_path = "/tmp;x" ; in quotes it is text
url_rewriter.tags = 'form='
"""
GIT = """\
[user]
\tname = A B
[core]
\tpager = less -x4 # four
\tsshCommand = "ssh -o \\"X=1;2\\""
\tautocrlf
[alias]
\tl = log --graph \\
 --oneline
[remote "source_node"]
\turl = git@example.org:a/b.git
\tfetch = +refs/heads/*:refs/remotes/source_node/*
\tfetch = +refs/pull/*:refs/remotes/source_node/pr/*
[alias]
\tst = status
"""
SYSTEMD = """\
[Unit]
Description=a host # daemon
After=network.target
After=corosync.service

[Service]
Environment="A=1"
Environment="B=2"
ExecStart=/usr/sbin/x --flag \\
    # of the other
    --other=1
Restart=on-failure
"""
MYSQL = """\
[mysqld]
skip-networking
port = 3306 # the port
!includedir /etc/mysql/conf.d/
  max_connections = 10
plugin-load-add = a.so
plugin-load-add = b.so
"""
SUPERVISOR = """\
[program:cat]
command = /bin/cat ; the program
environment = A="1",
    B="2" ; the second
priority = 1
"""
GRAFANA = '[smtp]\npassword = """a;b"""\nfrom = x ; note\nuser = `a#b`\n'
EDITORCONFIG = "root = true\n\n[*.{js,py}]\nindent_size = 2\n  charset = utf-8\n[*.md]\nx = a ; b\n"

EDITS: dict[str, tuple[str, str, str, tuple[tuple[str, str], ...]]] = {
    "php: a value before a comment": (
        "etc/php.ini",
        PHP,
        "set: {path: PHP.memory_limit, value: 256M}",
        (("128M", "256M"),),
    ),
    "php: a comment without a blank": (
        "php.ini",
        PHP,
        "set: {path: PHP.error_reporting, value: E_ALL}",
        (("E_ALL & ~E_DEPRECATED;", "E_ALL;"),),
    ),
    "php: a key that stands deeper": (
        "php.ini",
        PHP,
        "set: {path: PHP.max_input_time, value: 30}",
        (("= 60", "= 30"),),
    ),
    "php: a value that needs the quotes it has": (
        "php.ini",
        PHP,
        "set: {path: \"Session['session.save_path']\", value: 'a;b'}",
        (('"/tmp;x"', '"a;b"'),),
    ),
    "php: a value that needs quotes": (
        "php.ini",
        PHP,
        "set: {path: PHP.engine, value: 'a;b'}",
        (("engine = On", 'engine = "a;b"'),),
    ),
    "php: a commented-out option stays": (
        "php.ini",
        PHP,
        "[default: {path: PHP.short_open_tag, value: 'On'}, delete: PHP.memory_limit]",
        (
            ("memory_limit = 128M ; per script\n", ""),
            ("extension=gd\n", "extension=gd\nshort_open_tag = On\n"),
        ),
    ),
    "git: a value before a comment": (
        ".gitconfig",
        GIT,
        "[set: {path: core.pager, value: cat}, default: {path: core.editor, value: vim}]",
        (("less -x4 #", "cat #"), ("\tautocrlf\n", "\tautocrlf\n\teditor = vim\n")),
    ),
    "git: a section renamed": (
        "home/.gitconfig",
        GIT,
        "rename_section: {from: core, to: main}",
        (("[core]", "[main]"),),
    ),
    "git: a section with a repeated key is left alone": (
        ".git/config",
        GIT,
        "set: {path: \"['remote \\\"source_node\\\"'].url\", value: 'https://example.org/#x'}",
        (("git@example.org:a/b.git", '"https://example.org/#x"'),),
    ),
    "systemd: a value beside repeated keys": (
        "units/x.service",
        SYSTEMD,
        "set: {path: Service.Restart, value: always}",
        (("on-failure", "always"),),
    ),
    "systemd: a new key goes behind the repeated ones and looks like them": (
        "x.service",
        "[Unit]\nAfter=a\nAfter=b\n\n[Service]\nType=x\n",
        "default: {path: Unit.Description, value: d}",
        (("After=b\n", "After=b\nDescription=d\n"),),
    ),
    "systemd: what looks like a comment is text": (
        "x.service",
        SYSTEMD,
        "replace: {path: Unit.Description, regex: daemon, with: service}",
        (("# daemon", "# service"),),
    ),
    "systemd: a joined value is replaced as a whole": (
        "x.service",
        SYSTEMD.replace("    # of the other\n", ""),
        "set: {path: Service.ExecStart, value: /bin/y}",
        (("/usr/sbin/x --flag \\\n    --other=1", "/bin/y"),),
    ),
    "mysql: a value before a comment, and deeper ones": (
        "mysql/my.cnf",
        MYSQL,
        "[set: {path: mysqld.port, value: 3307}, set: {path: mysqld.max_connections, value: 20}]",
        (("3306", "3307"), ("= 10", "= 20")),
    ),
    "supervisord: comments behind values of several lines": (
        "supervisord.conf",
        SUPERVISOR,
        "[set: {path: \"['program:cat'].command\", value: /bin/dog},"
        " set: {path: \"['program:cat'].priority\", value: 2}]",
        (("/bin/cat", "/bin/dog"), ("priority = 1", "priority = 2")),
    ),
    "grafana: quotes where a reader needs them": (
        "grafana.ini",
        GRAFANA,
        "[set: {path: smtp.password, value: 'p#1;2'}, set: {path: smtp.from, value: y},"
        " set: {path: smtp.user, value: 'c;d'}]",
        (('"""a;b"""', '"""p#1;2"""'), ("from = x", "from = y"), ("`a#b`", "`c;d`")),
    ),
    "editorconfig": (
        ".editorconfig",
        EDITORCONFIG,
        "[set: {path: \"['*.{js,py}'].charset\", value: latin1},"
        " replace: {path: \"['*.md'].x\", regex: '; b', with: '; c'}]",
        (("utf-8", "latin1"), ("; b", "; c")),
    ),
    "systemd: a word in a joined value": (
        "x.service",
        SYSTEMD.replace("    # of the other\n", ""),
        "replace: {path: Service.ExecStart, regex: 'other=1', with: 'other=2'}",
        (("other=1", "other=2"),),
    ),
    "git: what needs quotes and escapes": (
        ".gitconfig",
        '[a]\n\tn = A\n\tm = "x;y" # c\n',
        "[set: {path: a.n, value: 'C:\\Users\\x'}, replace: {path: a.m, regex: x, with: 'q\"'}]",
        (("n = A", 'n = "C:\\\\Users\\\\x"'), ('"x;y"', '"q\\";y"')),
    ),
    "mysql: a value is what stands in the quotes": (
        "my.cnf",
        '[c]\np = "/x"\nq = 1\n',
        "[format: {to: c.q, template: '{c.p}/y'},"
        " {when: {equals: {path: c.p, value: /x}}, set: {path: c.p, value: /z}}]",
        (("q = 1", "q = /x/y"), ('"/x"', '"/z"')),
    ),
    "php: the same value in quotes is no change": (
        "php.ini",
        "[c]\np = \"ab\"\nq = 'v'\n",
        "[set: {path: c.p, value: ab}, set: {path: c.q, value: '~/x (y)'}]",
        (("'v'", "'~/x (y)'"),),
    ),
    "supervisord: one line of a value, and the comment behind it": (
        "supervisord.conf",
        SUPERVISOR,
        "replace: {path: \"['program:cat'].environment\", regex: '\"2\"', with: '\"4\"'}",
        (('B="2"', 'B="4"'),),
    ),
    "setup.cfg: comments and blank lines in a value stay": (
        "setup.cfg",
        "[o]\nr =\n    a>=1\n    # dev\n    c\n\n    d\n",
        "replace: {path: o.r, regex: 'a>=1', with: 'a>=2'}",
        (("a>=1", "a>=2"),),
    ),
    "setup.cfg: an item more": (
        "setup.cfg",
        "[o]\nr =\n    a>=1\n    # dev\n    c\n",
        'set: {path: o.r, value: "\\na>=1\\nc\\nd"}',
        (("    c\n", "    c\n    d\n"),),
    ),
    "tox.ini: deeper lines stay deeper": (
        "tox.ini",
        "[a]\np =\n  a\n    b\n",
        "replace: {path: a.p, regex: a, with: x}",
        (("  a\n", "  x\n"),),
    ),
    "tox.ini: a value of several lines becomes one": (
        "tox.ini",
        "[tox]\nenvlist =\n    py311\n\n[testenv]\ncommands =\n    pytest {posargs}\n",
        "[set: {path: testenv.commands, value: pytest},"
        " default: {path: testenv.skip_install, value: 'true'}]",
        (("commands =\n    pytest {posargs}\n", "commands = pytest\nskip_install = true\n"),),
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_as_the_reader_of_such_a_file_takes_it(name: str) -> None:
    file, source, operations, changes = EDITS[name]
    want = source
    for old, new in changes:
        assert want.count(old) == 1, old
        want = want.replace(old, new)
    assert run(file, source, operations)[1] == want


UNCLEAR: dict[str, tuple[str, str, str]] = {
    "set of a value before what may be a comment": (
        "[a]\nx = 1 ; c\n",
        "set: {path: a.x, value: 2}",
        "inline_comments",
    ),
    "replace": (
        "[a]\nx = 1 # c\n",
        "replace: {path: a.x, regex: '1', with: '2'}",
        "inline_comments",
    ),
    "map_value that would not match": (
        "[a]\nx = 1 ; c\n",
        "map_value: {path: a.x, map: [{from: '1', to: '2'}]}",
        "inline_comments",
    ),
    "a condition that would not match": (
        "[a]\nx = 1 ; c\ny = 2\n",
        "[{when: {equals: {path: a.x, value: '1'}}, delete: a.y}]",
        "inline_comments",
    ),
    "convert": ("[a]\nx = 5 ; c\n", "convert: {path: a.x, to: int}", "inline_comments"),
    "format": (
        "[a]\nx = 5 ; c\n",
        "format: {to: a.z, template: '{a.x}!'}",
        "inline_comments",
    ),
    "set of a value that a backslash may join": (
        "[a]\nx = /bin/x \\\n--a \\\n--b\nR = no\n",
        "set: {path: a.x, value: /bin/y}",
        "continuation",
    ),
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_where_readers_differ_nothing_is_compared_or_changed(name: str) -> None:
    source, operations, option = UNCLEAR[name]
    with pytest.raises(Refused) as caught:
        run("unknown.ini", source, operations)
    assert caught.value.code == "dialect_unclear"
    assert option in caught.value.fix
    assert caught.value.place


def test_a_value_about_which_readers_differ_may_move_and_go_as_it_is() -> None:
    source = "[a]\nx = 1 ; c\ny = 2 # d\n[b]\nz = 3\n"
    _, text = run("unknown.ini", source, "[move: {from: a.x, to: b.x}, delete: a.y]")
    assert text == "[a]\n[b]\nz = 3\nx = 1 ; c\n"
    _, text = run("unknown.ini", source, "[{when: {exists: a.x}, set: {path: b.z, value: 4}}]")
    assert text == source.replace("= 3", "= 4")


def test_what_a_configuration_says_wins_over_the_name() -> None:
    source = "[a]\nx = 1 ; c\n"
    operation = "set: {path: a.x, value: 2}"
    assert run("x.ini", source, operation, inline_comments=[";"])[1] == "[a]\nx = 2 ; c\n"
    assert run("x.ini", source, operation, inline_comments=[])[1] == "[a]\nx = 2\n"
    assert run("php.ini", source, operation, inline_comments=[])[1] == "[a]\nx = 2\n"
    joined = "[a]\nx = 1 \\\n2\ny = 3\n"
    assert run("x.ini", joined, operation, continuation="backslash")[1] == "[a]\nx = 2\ny = 3\n"
    with pytest.raises(Refused) as caught:
        run("x.ini", "[a]\nx = 1\nx = 2\n", operation, repeated_keys="refuse")
    assert caught.value.code == "duplicate_key"
    with pytest.raises(Refused):
        run("tox.ini", "[a]\nx = 1\nx = 2\n", operation)


REPEATED = "[a]\nx = 1\n# of x\nx = 2\ny = 3\n[b]\nz = 1\n[c]\nw = 1\n[b]\nz = 2\n"


@pytest.mark.parametrize(
    "operation",
    [
        "set: {path: a.x, value: 3}",
        "default: {path: a.x, value: 3}",
        "delete: a.x",
        "move: {from: a.x, to: a.v}",
        "move: {from: a.y, to: a.x}",
        "move: {from: a.x, to: c.x}",
        "replace: {path: a.x, regex: '1', with: '2'}",
        "[{when: {exists: a.x}, delete: a.y}]",
        "set: {path: b.z, value: 3}",
        "delete: b",
        "rename_section: {from: b, to: d}",
        "rename_section: {from: c, to: b}",
        "[{for_each: {path: b, other_types: error}, set: {path: k, value: 1}}]",
    ],
)
def test_only_a_path_that_names_a_repeated_key_is_refused(operation: str) -> None:
    with pytest.raises(Refused) as caught:
        run("x.ini", REPEATED, operation)
    assert caught.value.code == "repeated_key"
    assert caught.value.fix


def test_repeated_keys_stay_where_they_are() -> None:
    document, text = run("x.ini", REPEATED, "[set: {path: a.y, value: 4}, delete: c]")
    assert text == "[a]\nx = 1\n# of x\nx = 2\ny = 4\n[b]\nz = 1\n[b]\nz = 2\n"
    assert document.root == {"a": {"y": 4}}
    # a section takes them along
    assert run("x.ini", REPEATED, "delete: a")[1] == REPEATED[REPEATED.index("[b]") :]
    renamed = run("x.ini", REPEATED, "rename_section: {from: a, to: k}")[1]
    assert renamed == REPEATED.replace("[a]", "[k]")
    # and a new key goes into the section
    added = run("x.ini", REPEATED, "set: {path: a.n, value: 1}")[1]
    assert added == REPEATED.replace("y = 3\n", "y = 3\nn = 1\n")


@pytest.mark.parametrize(
    ("name", "source", "operation"),
    [
        (".gitconfig", "[Core]\n\teditor = vim\n", "default: {path: core.editor, value: nano}"),
        (".gitconfig", "[core]\n\tEditor = vim\n", "default: {path: core.editor, value: nano}"),
        ("my.cnf", "[m]\nmax-connections = 1\n", "default: {path: m.max_connections, value: 2}"),
    ],
)
def test_a_key_that_its_readers_take_for_another_is_not_added(
    name: str, source: str, operation: str
) -> None:
    with pytest.raises(Refused) as caught:
        run(name, source, operation)
    assert caught.value.code == "same_key"
    assert caught.value.fix


def test_secrets_of_repeated_keys_are_masked() -> None:
    old = b"[a]\npassword = first-secret\npassword = second-secret\nx = 1\n"
    shown = Masker(format="ini", dialect="", secrets=[]).diff(
        "a.ini", old, old.replace(b"x = 1", b"x = 2")
    )
    assert "x = 2" in shown
    assert "secret" not in shown.replace("password", "")


def test_nothing_is_known_of_a_name_that_two_patterns_disagree_about() -> None:
    assert dialect_of(["php.ini", "my.cnf"], {}) == UNKNOWN
    assert dialect_of(["a/php.ini", "b/php-fpm.ini"], {}) == dialect_of(["php.ini"], {})


# --- read back by the readers themselves


def test_git_reads_what_was_meant(tmp_path: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    _, text = run(
        ".gitconfig",
        GIT,
        "[set: {path: core.pager, value: 'a # b; c'}, default: {path: core.editor, value: vim},"
        " set: {path: core.sshCommand, value: 'ssh -X'}]",
    )
    file = tmp_path / "config"
    file.write_text(text)

    def get(*words: str) -> list[str]:
        done = subprocess.run(
            ["git", "config", "-f", str(file), *words], capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    assert get("core.pager") == ["a # b; c"]
    assert get("core.editor") == ["vim"]
    assert get("core.sshCommand") == ["ssh -X"]
    assert get("--get-all", "remote.source_node.fetch") == [
        "+refs/heads/*:refs/remotes/source_node/*",
        "+refs/pull/*:refs/remotes/source_node/pr/*",
    ]
    assert get("alias.l") == ["log --graph  --oneline"]
    assert get("alias.st") == ["status"]


@pytest.mark.parametrize(
    ("file", "source", "marks"),
    [
        ("supervisord.conf", SUPERVISOR, (";", "#")),
        ("tox.ini", "[a]\nx = 1 ; c\ny =\n  1\n  2\n", None),
    ],
)
def test_configparser_reads_what_was_meant(
    file: str, source: str, marks: tuple[str, ...] | None
) -> None:
    document, text = run(file, source, "default: {path: n.new, value: v}")
    reader = configparser.RawConfigParser(inline_comment_prefixes=marks)
    reader.read_string(text)
    assert {s: dict(reader.items(s)) for s in reader.sections()} == document.root


def test_systemd_takes_the_edited_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "x.service"
    source = SYSTEMD.replace("/usr/sbin/x", "/bin/true")
    unit.write_text(run("x.service", source, "set: {path: Service.Restart, value: always}")[1])
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert "always" not in done.stderr
    assert "Restart" not in done.stderr


@pytest.mark.parametrize("program", ["php"])
def test_php_reads_what_was_meant(tmp_path: Path, program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    file = tmp_path / "php.ini"
    file.write_text(
        run(
            "php.ini",
            PHP,
            "[set: {path: PHP.memory_limit, value: 256M}, set: {path: PHP.engine, value: 'a;b'}]",
        )[1]
    )
    code = (
        f"$i = parse_ini_file('{file}', true); echo $i['PHP']['memory_limit'], $i['PHP']['engine'];"
    )
    done = subprocess.run([program, "-n", "-r", code], capture_output=True, text=True, check=True)
    assert done.stdout == "256Ma;b"
