"""Every event, span and metric of a real run, received over OTLP, judged by the registry."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support import reference, registry
from tests.support.otlp_receiver import OtlpReceiver

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "migrations" / "fixtures" / "0013_dhcp_local_domain_name" / "full.input.yaml"
POLICY = """\
classes:
  online: {windows: always}
  post_deploy: {windows: always}
  manual_backfill: {windows: always}
"""


def _confmig(*words: str) -> subprocess.CompletedProcess[str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "CONFMIG"))}
    return subprocess.run(
        [sys.executable, "-m", "confmig", *words],
        capture_output=True,
        text=True,
        check=False,
        env=env,
    )


def test_whatever_a_run_emits_is_in_the_registry(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    file = tmp_path / "config" / "AdGuardHome.yaml"
    shutil.copyfile(SOURCE, file)
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    settings = tmp_path / "confmig.yaml"
    with OtlpReceiver() as receiver:
        settings.write_text(
            json.dumps(
                {
                    "targets": [
                        {
                            "name": "home",
                            "root": "config",
                            "bundle": str(reference.bundle()),
                            "policy": "policy.yaml",
                        }
                    ],
                    "state_dir": "state",
                    "telemetry": {"endpoint": receiver.endpoint},
                }
            )
        )
        where = ("--settings", str(settings))
        assert _confmig("run", "--once", *where).returncode == 3
        approved = _confmig("approve", "0014_clients_runtime_sources", "--reason", "CHG-1", *where)
        assert approved.returncode == 0, approved.stderr
        assert _confmig("run", "--once", *where).returncode == 0
        assert _confmig("rollback", "--last", *where).returncode == 0
        policy.write_text("classes: {online: {windows: sometimes}}\n")
        assert _confmig("run", "--once", *where).returncode == 2
        file.write_text("dns: [unclosed\n")
        policy.write_text(POLICY)
        assert _confmig("run", "--once", *where).returncode == 1
        file.write_text("schema_version: 12\ndns: {local_domain_name: lan}\ndhcp: 3\n")
        failed = _confmig("run", "--once", *where)
        assert failed.returncode == 4, failed.stdout + failed.stderr

        names = {r.event_name for r in receiver.logs}
        assert names == {
            "config.migrated",
            "config.migration.started",
            "config.migration.completed",
            "config.migration.deferred",
            "config.migration.approved",
            "config.migration.failed",
            "config.migration.rollback.started",
            "config.migration.rollback.completed",
            "config.bundle.loaded",
            "config.policy.loaded",
            "config.policy.rejected",
            "config.drift.detected",  # the file was put back to an older version by hand
        }
        assert [f for r in receiver.logs for f in registry.event_faults(r)] == []
        assert {s.name.split(" ")[0] for s in receiver.spans} >= {
            "run_config_migrations",
            "apply",
            "rollback",
            "transform",
            "checkpoint",
            "commit",
        }
        assert [f for s in receiver.spans for f in registry.span_faults(s)] == []
        assert {m.name for m in receiver.metrics} >= {
            "config.migration.duration",
            "config.migration.pending",
            "config.migration.blocked",
            "config.migration.outbox.pending",
        }
        assert [f for m in receiver.metrics for f in registry.metric_faults(m)] == []
        uids = [r.attributes["log.record.uid"] for r in receiver.logs]
        assert len(uids) == len(set(uids))
        resources = {r.resource["service.name"] for r in receiver.logs}
        assert resources == {"confmig"}
