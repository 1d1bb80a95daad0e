"""``confmig retire --through ID``: let old migrations leave a bundle."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from confmig.adapters.files.plain_file import write_plain
from confmig.adapters.workers.protocol import Bundle
from confmig.cli import session
from confmig.core.bundle.checksums import file_of, sums, sums_text
from confmig.documents import formats
from confmig.errors import Refused


def arguments(parser: argparse.ArgumentParser) -> None:
    """The words of the command."""
    parser.add_argument(
        "--through", required=True, metavar="ID", help="the last migration that leaves the bundle"
    )
    parser.add_argument(
        "--bundle", type=Path, default=Path(), metavar="DIR", help="the bundle (default: here)"
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would go; write nothing")
    parser.add_argument("--json", action="store_true", help="the answer as JSON")


def run(args: argparse.Namespace) -> int:
    """Write manifest.json and manifest.sum, and remove the files of the retired migrations."""
    bundle = session.worker().load(args.bundle, shared=True)
    gone = _gone(bundle, args.through)
    versions = dict(bundle.manifest.retired.versions) if bundle.manifest.retired else {}
    for migration in bundle.manifest.migrations[: len(gone)]:
        versions |= migration.sets
    ids = [m.id for m in bundle.manifest.migrations]
    start = bundle.manifest.retired.sum if bundle.manifest.retired else ""
    last = dict(sums(bundle.files, ids, start))[args.through]
    through = bundle.manifest.by_id[args.through].order
    manifest = _manifest(bundle, len(gone), {"through": through, "versions": versions, "sum": last})
    left = sums_text(sums(bundle.files, ids[len(gone) :], last))
    unused = _unused_handlers(bundle, gone)
    files = [f"migrations/{file_of(name, bundle.files)}" for name in gone]
    files += [f"migrations/{name}" for name in unused]
    files += [f"migrations/fixtures/{name}" for name in gone if name in bundle.files.fixtures]
    if not args.dry_run:
        # the manifest comes first: until the sums follow, the bundle is refused and nothing runs
        write_plain(args.bundle / "manifest.json", manifest)
        write_plain(args.bundle / "manifest.sum", left)
        for file in files:
            path = args.bundle / file
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    floor = ", ".join(f"{config} {version}" for config, version in versions.items())
    answer = {"retired": gone, "versions": versions, "removed": files, "written": not args.dry_run}
    text = [
        f"{'would retire' if args.dry_run else 'retired'} {len(gone)} migrations through "
        f"{args.through}; the bundle begins at {floor}",
        *(f"  {'would remove' if args.dry_run else 'removed'} {file}" for file in files),
        "files below these versions need the last release that still has these migrations",
    ]
    session.show(args, answer, "\n".join(text))
    return 0


def _gone(bundle: Bundle, through: str) -> list[str]:
    """The ids that leave. Raises ``Refused`` unless something stays."""
    ids = [m.id for m in bundle.manifest.migrations]
    if through not in ids:
        raise Refused(
            "migration_unknown",
            f"{through} is not in the bundle",
            place="manifest.json",
            fix=f"name one of {ids[0]} to {ids[-2]}" if len(ids) > 1 else "",
        )
    if through == ids[-1]:
        raise Refused(
            "manifest_empty",
            f"{through} is the last migration, and a bundle must keep one",
            place="manifest.json",
            fix="name an earlier one",
        )
    return ids[: ids.index(through) + 1]


def _manifest(bundle: Bundle, count: int, retired: dict[str, object]) -> bytes:
    """manifest.json without the first entries; everything else in it stays as it is."""
    data = bundle.files.manifest
    assert data is not None
    document = formats.parse(data, format="json")
    order = [e["order"] for e in document.get("migrations")]
    # entries need not be in their order
    for place in sorted(sorted(range(len(order)), key=order.__getitem__)[:count], reverse=True):
        document.delete(f"migrations[{place}]")
    document.set("retired", retired)
    return formats.render(document).data


def _unused_handlers(bundle: Bundle, gone: list[str]) -> list[str]:
    """The handlers that only retired migrations name."""
    going = {file_of(name, bundle.files) for name in gone}
    used = [content for file, content in bundle.files.migrations.items() if file not in going]
    return [h for h in bundle.files.handlers if not any(h.encode() in text for text in used)]
