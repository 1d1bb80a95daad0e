"""A chain of twenty migrations for ``corpora.yaml_of``, fused and unfused.

Each is a migration file of a bundle and changes something. ``LOCAL`` touch a few
places each, as most migrations do; of ``WIDE`` each changes every device of the file.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from confmig.adapters.bundles.reading import read_files
from confmig.adapters.workers.protocol import Bundle
from confmig.adapters.workers.records import Transformed
from confmig.core.bundle.checksums import ordered_ids, sums, sums_text
from confmig.worker.local import LocalWorker

LOCAL = (
    "- move: {from: dns.port, to: dns.listen_port}",
    "- wrap_list: dns.bind_host",
    "- move: {from: dns.bind_host, to: dns.bind_hosts}",
    "- convert: {path: dns.cache_ttl, to: duration, unit: s}",
    "- default: {path: dns.edns, value: {enabled: false, custom: ''}}",
    "- map_value: {path: dns.blocking, map: {'on': true, 'off': false}}",
    "- move: {from: log_file, to: log.file}",
    "- move: {from: log_size, to: log.max_size, type: int}",
    "- convert: {path: log_compress, to: bool}",
    "- move: {from: log_compress, to: log.compress}",
    "- set: {path: os, value: {group: '', user: ''}}",
    "- nest: {path: query_log, under: interval}",
    "- convert: {path: query_log.interval, to: duration, unit: d}",
    "- format: {to: http.address, template: '{bind_host}:{bind_port}'}",
    "- delete: theme",
    "- replace: {path: language, regex: '^en$', with: en-gb}",
    "- wrap_list: dns.upstream",
    "- default: {path: dns.ratelimit, value: 20}",
    "- move: {from: session_ttl, to: http.session_ttl, type: int}",
    "- default: {path: http.pprof, value: {enabled: false, port: 6060}}",
)
WIDE = (
    "- {for_each: {path: 'clients[*]', other_types: skip}, move: {from: ip, to: address}}",
    "- {for_each: {path: 'clients[*]', other_types: skip}, default: {path: blocked, value: []}}",
    "- {for_each: {path: 'clients[*]', other_types: skip}, wrap_list: address}",
    "- {for_each: {path: 'clients[*]', other_types: skip},"
    " set: {path: use_global_settings, value: false}}",
)
MIXED = (*WIDE, *LOCAL[:16])
"""Twenty steps of which four change every device; the first one does."""


def write_bundle(folder: Path, texts: Sequence[str]) -> None:
    """A bundle of these migrations, from version 1 on, checksums and all."""
    (folder / "migrations").mkdir(parents=True)
    entries = []
    for order, text in enumerate(texts, 1):
        name = f"{order:04d}_step"
        (folder / "migrations" / f"{name}.yaml").write_text(f"{text}\n")
        entries.append({"id": name, "order": order, "class": "online", "sets": {"app": order + 1}})
    config = {"files": ["*.yaml"], "format": "yaml", "version": {"path": "schema_version"}}
    manifest = {
        "_config_version": 1,
        "bundle": "bench",
        "configs": {"app": config},
        "migrations": entries,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    files = read_files(folder)
    (folder / "manifest.sum").write_bytes(sums_text(sums(files, ordered_ids(files.manifest))))


@dataclass(frozen=True, slots=True)
class Chain:
    """A loaded bundle of the migrations, to be run in memory."""

    bundle: Bundle

    @classmethod
    def of(cls, texts: Sequence[str]) -> Chain:
        """Write the bundle, load it as confmig does, and forget its directory."""
        with tempfile.TemporaryDirectory() as folder:
            write_bundle(Path(folder) / "bundle", texts)
            return cls(LocalWorker().load(Path(folder) / "bundle"))

    def transform(self, data: bytes, first: int, last: int) -> Transformed:
        """The steps from ``first`` up to ``last`` with one parse and one verified render."""
        manifest = self.bundle.manifest
        ids = [m.id for m in manifest.migrations[first:last]]
        return self.bundle.transform({"app": data}, ids)["app"]

    def fused(self, data: bytes, count: int) -> bytes:
        """The first steps, all at once."""
        return _text(self.transform(data, 0, count))

    def unfused(self, data: bytes, count: int) -> bytes:
        """The first steps with a parse and a verified render for each."""
        for number in range(count):
            data = _text(self.transform(data, number, number + 1))
        return data


def _text(result: Transformed) -> bytes:
    assert result.data is not None
    return result.data
