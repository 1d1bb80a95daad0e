"""Python handlers: what they may do, and that nothing else is possible."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest

from confmig.documents import formats
from confmig.documents.model.document import Document
from confmig.errors import ConfmigError
from confmig.worker.handlers import HandlerContract, Limits, run
from tests.e2e.world import Step, confmig, write_bundle

TEXT = b"a: 1  # one\nb: two\n"
SOON = Limits(seconds=5.0, memory=128 * 1024 * 1024)


def document() -> Document:
    return formats.parse(TEXT, format="yaml")


def call(body: str, limits: Limits = SOON, top: str = "") -> Document:
    """Run a handler with this body; the document after it."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    code = f"{top}\ndef migrate(document, contract):\n{lines}\n"
    one = document()
    run(
        "handlers/h.py",
        code.encode(),
        one,
        HandlerContract("app", _schema, b"key", TEXT),
        limits=limits,
    )
    return one


def _schema(version: int) -> object:
    return {"version": version} if version == 1 else None


def code_of(body: str, limits: Limits = SOON, top: str = "") -> str:
    with pytest.raises(ConfmigError) as caught:
        call(body, limits, top)
    return caught.value.code


def seen(body: str) -> object:
    """What an expression is inside of a handler."""
    return call(f"document['seen'] = {body}")["seen"]


def test_its_changes_come_back() -> None:
    one = call("document['a'] = 2\ndel document['b']\ndocument['c'] = [1, {'d': None}]")
    text = formats.render(one).data.decode()
    assert text.startswith("a: 2  # one\n")
    assert "b:" not in text
    assert one["c"][1]["d"] is None


def test_it_is_given_schemas_and_derived_bytes() -> None:
    assert seen("contract.config") == "app"
    assert seen("contract.schema(1)['version']") == 1
    assert seen("contract.schema(2) is None")
    first = seen("contract.derive('salt', 16).hex()")
    assert first == seen("contract.derive('salt', 16).hex()")
    assert first != seen("contract.derive('other', 16).hex()")
    assert len(str(first)) == 32


def test_one_that_gives_two_results_is_refused() -> None:
    for body in (
        "import os; document['x'] = os.urandom(4).hex()",
        "import time; document['x'] = time.time_ns()",
        "import os; document['x'] = os.getpid()",
        "import random; document['x'] = random.random()",
    ):
        assert code_of(body) == "handler_not_deterministic"


def test_one_that_refuses() -> None:
    body = "from confmig.errors import Refused\nraise Refused('no_way', 'because', place='a')"
    with pytest.raises(ConfmigError) as caught:
        call(body)
    assert (caught.value.code, caught.value.place) == ("no_way", "a")
    assert "because" in caught.value.message


def test_one_that_fails_names_type_and_line_and_no_value() -> None:
    with pytest.raises(ConfmigError) as caught:
        call("x = 1\nraise ValueError('CANARY')")
    assert caught.value.code == "handler_failed"
    assert "migrations/handlers/h.py:4: the handler raised ValueError" in caught.value.message
    assert "CANARY" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "top"),
    [
        ("raise SystemExit(0)", ""),
        ("return missing_name", ""),
        ("pass", "x = 1 +"),
    ],
)
def test_other_ways_to_fail(body: str, top: str) -> None:
    assert code_of(body, top=top) == "handler_failed"


def test_a_syntax_error_names_its_line_and_a_missing_function_its_name() -> None:
    for code, message in (
        (b"x = 1\ndef migrate(document, contract)\n", "h.py:2: syntax error: expected ':'"),
        (b"def migrte(document, contract):\n    pass\n", "h.py: the function `migrate(document, "),
        (b"migrate = 5\n", "h.py: the function `migrate(document, contract)` is missing"),
    ):
        with pytest.raises(ConfmigError) as caught:
            run("handlers/h.py", code, document(), HandlerContract("app", _schema, b"key", TEXT))
        assert caught.value.code == "handler_failed"
        assert message in caught.value.message
        assert caught.value.fix


def test_a_module_that_is_not_installed_is_named() -> None:
    assert code_of("pass", top="import nowhere") == "handler_module_missing"


def test_one_without_the_function() -> None:
    one = document()
    with pytest.raises(ConfmigError) as caught:
        run("h", b"x = 1\n", one, HandlerContract("app", _schema, b"", TEXT), limits=SOON)
    assert caught.value.code == "handler_failed"


def test_the_time_is_limited() -> None:
    began = time.monotonic()
    for body in ("while True: pass", "import time; time.sleep(60)"):
        assert code_of(body, Limits(seconds=0.5)) == "handler_timeout"
    assert time.monotonic() - began < 5


def test_the_time_is_limited_for_the_top_of_the_file_too() -> None:
    assert code_of("pass", Limits(seconds=0.5), "while True: pass") == "handler_timeout"


def test_the_memory_is_limited() -> None:
    assert code_of("x = bytearray(10**9)") in ("handler_failed", "handler_died")
    assert code_of("pass", top="x = bytearray(10**9)") in ("handler_failed", "handler_died")


def test_a_crash_is_named() -> None:
    for body in ("import ctypes; ctypes.string_at(0)", "import os; os._exit(3)"):
        assert code_of(body) == "handler_died"


def test_an_answer_that_is_too_long_is_refused() -> None:
    assert code_of("document['x'] = 'y' * 100000", Limits(answer=1000)) == "handler_died"


def test_there_is_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFMIG_CANARY", "CANARY")
    assert seen("__import__('os').environ.get('CONFMIG_CANARY') is None")
    assert seen("len(__import__('os').environ)") == 0


def test_there_is_no_environment_at_the_top_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFMIG_CANARY", "CANARY")
    top = "import os\nFOUND = os.environ.get('CONFMIG_CANARY')"
    assert call("document['seen'] = FOUND is None", top=top)["seen"] is True


WRITES = {
    "write": "open({path!r}, 'a').write('x')",
    "truncate": "open({path!r}, 'w').close()",
    "unlink": "__import__('os').unlink({path!r})",
    "rename": "__import__('os').rename({path!r}, {path!r} + '2')",
    "chmod": "__import__('os').chmod({path!r}, 0o777)",
    "new": "open({path!r} + '.new', 'w').close()",
}


@pytest.mark.parametrize("where", ["function", "top"])
@pytest.mark.parametrize("how", WRITES)
def test_it_cannot_change_files(tmp_path: Path, how: str, where: str) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    victim.chmod(0o600)
    line = WRITES[how].format(path=str(victim))
    with contextlib.suppress(ConfmigError):
        call(line) if where == "function" else call("pass", top=line)
    assert os.listdir(tmp_path) == ["victim"]
    assert victim.read_text() == "precious"
    assert victim.stat().st_mode & 0o777 == 0o600


def test_it_cannot_start_processes(tmp_path: Path) -> None:
    assert code_of("import os\nif os.fork() == 0: os._exit(0)") in (
        "handler_failed",
        "handler_died",
    )


def test_it_says_nothing_on_our_output(tmp_path: Path) -> None:
    code = (
        "import sys\ndef migrate(document, contract):\n"
        "    print('noise', flush=True)\n    print('noise', file=sys.stderr)\n"
    )
    bundle = write_bundle(tmp_path / "bundle", (Step("0001_x", handler=code),))
    (tmp_path / "a.yaml").write_text("a: 1\n")
    done = confmig("migrate", tmp_path / "a.yaml", "--bundle", bundle, "--stdout")
    assert done.code == 0, done
    assert "noise" not in done.out + done.err


def test_no_child_and_no_descriptor_is_left() -> None:
    before = len(os.listdir("/proc/self/fd"))
    call("pass")
    assert code_of("while True: pass", Limits(seconds=0.2)) == "handler_timeout"
    assert code_of("import os; os._exit(3)") == "handler_died"
    assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
