"""A configuration in Latin-1 goes the whole way: migrated, shown, edited, rolled back."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.world import FREE, World, confmig

SOURCE = "# gr\u00fc\u00dfe\ngreeting=h\u00e9llo\nname=a\n".encode("latin-1")
NEW = "# gr\u00fc\u00dfe\ngreeting=Gr\u00fc\u00dfe\nname=a\napp.version=1\n".encode("latin-1")


def bundle(folder: Path) -> Path:
    (folder / "migrations" / "schemas").mkdir(parents=True)
    config = {
        "files": ["*.properties"],
        "format": "properties",
        "encoding": "latin-1",
        "version": {"path": "['app.version']", "absent": 0},
    }
    migration = {"id": "0001_greeting", "order": 1, "class": "online", "sets": {"app": 1}}
    manifest = {
        "_config_version": 1,
        "bundle": "x",
        "configs": {"app": config},
        "migrations": [migration],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    operation = "- set: {path: greeting, value: Gr\u00fc\u00dfe}\n"
    (folder / "migrations" / "0001_greeting.yaml").write_text(operation)
    assert confmig("sum", "--bundle", folder).code == 0
    return folder


def test_it_is_migrated_edited_and_rolled_back(tmp_path: Path) -> None:
    world = World(tmp_path / "w", bundle=bundle(tmp_path / "bundle"), policy=FREE)
    file = world.put("a.properties", SOURCE)
    dry = world.run("dry-run")
    assert dry.code == 0, dry
    assert "Gr\u00fc\u00dfe" in dry.out
    assert world.once().code == 0
    assert file.read_bytes() == NEW
    edited = NEW.replace(b"name=a", "name=\u00e4".encode("latin-1"))
    world.put("a.properties", edited)
    done = world.run("rollback", "--last")
    assert done.code == 0, done
    assert file.read_bytes() == SOURCE.replace(b"name=a", "name=\u00e4".encode("latin-1"))


def test_it_is_shown_and_goes_back_without_state(tmp_path: Path) -> None:
    folder = bundle(tmp_path / "bundle")
    file = tmp_path / "a.properties"
    file.write_bytes(SOURCE)
    for more in ((), ("--show-values",)):
        shown = confmig("migrate", file, "--bundle", folder, "--diff", *more)
        assert shown.code == 0, shown
        assert "+greeting=Gr\u00fc\u00dfe" in shown.out
    words = ("migrate", file, "--bundle", folder)
    done = confmig(*words, "--write", "--json", "--show-values")
    assert done.code == 0, done
    assert file.read_bytes() == NEW
    journal = tmp_path / "journal.json"
    journal.write_text(done.out)
    back = confmig(*words, "--to", "0", "--journal", journal, "--write")
    assert back.code == 0, back
    assert file.read_bytes() == SOURCE
