"""The alert rules: by Prometheus' own tools, and with a real partial failure up to a webhook."""

from __future__ import annotations

import http.server
import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from confmig.core.planning import attention
from tests.e2e.test_partial_failure import half_way
from tests.e2e.world import REPOSITORY, Daemon, free_port, until
from tests.support.debian import program, with_share

RULES = REPOSITORY / "otel" / "prometheus"
RUNBOOKS = REPOSITORY / "docs" / "runbooks"


def rules() -> list[dict[str, Any]]:
    data = yaml.safe_load((RULES / "confmig.rules.yaml").read_text())
    return [rule for group in data["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_every_alert_has_its_runbook_page(rule: dict[str, Any]) -> None:
    page = RUNBOOKS / (rule["annotations"]["runbook_url"].rsplit("/", 1)[-1] + ".md")
    text = page.read_text()
    for part in ("What is true.", "See more.", "Do.", "The alert ends"):
        assert part in text or (part == "Do." and "what to do" in text), (page.name, part)
    assert page.name in (RUNBOOKS / "README.md").read_text()


def test_every_blocking_reason_has_an_alert() -> None:
    expressions = " ".join(rule["expr"] for rule in rules())
    for reason in attention.BLOCKED:
        assert re.search(rf"\b{reason}\b", expressions), reason


def test_the_page_of_attention_has_every_reason() -> None:
    text = (RUNBOOKS / "attention.md").read_text()
    shown = (attention.MIGRATIONS | attention.DOCUMENTS | attention.TARGET) - {"clock_untrusted"}
    for reason in shown:
        assert f"`{reason}`" in text, reason


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [("check", "rules", "confmig.rules.yaml"), ("test", "rules", "confmig.test.yaml")]
)
def test_promtool_accepts_the_rules(words: tuple[str, ...]) -> None:
    promtool = program("promtool", "prometheus")
    done = subprocess.run(
        [promtool, *words], cwd=RULES, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


@pytest.mark.slow
def test_promtool_notices_a_rule_that_never_fires(tmp_path: Path) -> None:
    """The seeded fault: without the right reason in the expression a test of the rules fails."""
    promtool = program("promtool", "prometheus")
    for name in ("confmig.rules.yaml", "confmig.test.yaml"):
        text = (RULES / name).read_text()
        if name == "confmig.rules.yaml":
            assert text.count('"blocked_by_partial_failure"') == 1
            text = text.replace('"blocked_by_partial_failure"', '"partial_failure"')
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [promtool, "test", "rules", "confmig.test.yaml"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "ConfmigBlockedByPartialFailure" in done.stdout + done.stderr


class _Webhook:
    """A receiver of Alertmanager's notifications."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        received = self.received

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                received.append(json.loads(self.rfile.read(size)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def alerts(self, status: str) -> list[dict[str, Any]]:
        return [a for m in list(self.received) for a in m["alerts"] if a["status"] == status]


@contextmanager
def _running(words: list[str], log: Path) -> Iterator[None]:
    with open(log, "wb") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait(10)


@pytest.mark.slow
def test_a_partial_failure_pages_and_the_resolution_ends_the_alert(tmp_path: Path) -> None:
    prometheus = program("prometheus", "prometheus")
    alertmanager = program("prometheus-alertmanager", "prometheus-alertmanager")
    world, transaction = half_way(tmp_path)
    webhook = _Webhook()
    ports = {name: free_port() for name in ("prometheus", "alertmanager")}
    (tmp_path / "alertmanager.yml").write_text(
        "route: {receiver: page, group_wait: 0s, group_interval: 1s, repeat_interval: 1h}\n"
        "receivers:\n- name: page\n  webhook_configs:\n"
        f"  - {{url: 'http://127.0.0.1:{webhook.port}/', send_resolved: true}}\n"
    )
    with Daemon(world) as daemon:
        probes = daemon.base().removeprefix("http://")
        (tmp_path / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            f"rule_files: ['{RULES}/confmig.rules.yaml']\n"
            "scrape_configs:\n- job_name: confmig\n"
            f"  static_configs: [{{targets: ['{probes}']}}]\n"
            "alerting:\n  alertmanagers:\n"
            f"  - static_configs: [{{targets: ['127.0.0.1:{ports['alertmanager']}']}}]\n"
        )
        manager = [
            *with_share(alertmanager),
            f"--config.file={tmp_path}/alertmanager.yml",
            f"--storage.path={tmp_path}/am",
            f"--web.listen-address=127.0.0.1:{ports['alertmanager']}",
            "--cluster.listen-address=",
        ]
        server = [
            str(prometheus),
            f"--config.file={tmp_path}/prometheus.yml",
            f"--storage.tsdb.path={tmp_path}/tsdb",
            f"--web.listen-address=127.0.0.1:{ports['prometheus']}",
        ]
        began = time.monotonic()
        with _running(manager, tmp_path / "am.log"), _running(server, tmp_path / "prom.log"):
            name = "ConfmigBlockedByPartialFailure"

            def paged(status: str) -> list[dict[str, Any]]:
                return [a for a in webhook.alerts(status) if a["labels"]["alertname"] == name]

            [alert, *_] = until(
                lambda: paged("firing"), 60, (tmp_path / "prom.log").read_text()[-2000:]
            )
            fired = time.monotonic() - began
            assert alert["labels"]["config_target_name"] == "app"
            assert alert["annotations"]["runbook_url"].endswith("/blocked-by-partial-failure")
            way = ("--restore", "--discard", "--reason", "the edit was a mistake")
            done = world.run("resolve", transaction, *way)
            assert done.code == 0, done
            resolved_at = time.monotonic()
            until(lambda: paged("resolved"), 60)
            ended = time.monotonic() - resolved_at
            print(f"fired {fired:.1f} s after the start, ended {ended:.1f} s after the resolution")
