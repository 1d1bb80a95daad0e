"""The wheel: installed without extras, in an empty directory, it has an example that works."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.e2e.world import REPOSITORY, confmig

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout, built without network."""
    folder = tmp_path_factory.mktemp("wheel")
    words = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", folder]
    done = subprocess.run(
        [sys.executable, "-m", *map(str, words), str(REPOSITORY)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0 and "hatchling" in done.stderr:
        pytest.skip("hatchling is not installed here, so no wheel can be built without network")
    assert done.returncode == 0, done.stderr
    [file] = folder.glob("*.whl")
    return file


def test_the_wheel_has_the_example_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "confmig/example/manifest.json" in names
    assert "confmig/example/migrations/0004_carriers.yaml" in names
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"confmig", "confmig_otel"}


def test_the_demo_runs_in_an_empty_directory_without_the_checkout(
    wheel: Path, tmp_path: Path
) -> None:
    packages = tmp_path / "packages"
    zipfile.ZipFile(wheel).extractall(packages)
    empty = tmp_path / "empty"
    empty.mkdir()
    done = confmig("demo", cwd=empty, PYTHONPATH=str(packages))
    assert done.code == 0, done
    assert done.out.rstrip().endswith("byte-exact")
    assert "correct horse" not in done.out.split("=== What the whole chain")[1].split("===")[0]
    assert list(empty.iterdir()) == []


def test_the_kept_example_can_be_used(tmp_path: Path) -> None:
    done = confmig("demo", "--keep", tmp_path / "shop")
    assert done.code == 0, done
    status = confmig("status", "--json", cwd=tmp_path / "shop").json
    assert {d["version"] for d in status["documents"]} == {3}
    again = confmig("demo", "--keep", tmp_path / "shop")
    assert again.code == 1, again
    assert "exists" in again.err


def test_the_demo_takes_no_settings_from_the_environment(tmp_path: Path) -> None:
    state = tmp_path / "real"
    done = confmig("demo", CONFMIG__STATE_DIR=str(state), OTEL_EXPORTER_OTLP_ENDPOINT="nonsense")
    assert done.code == 0, done
    assert not state.exists()


@pytest.mark.parametrize("mask", ["002", "000", "077"])
def test_the_demo_works_under_every_umask(mask: str) -> None:
    words = ["sh", "-c", f'umask {mask}; exec "$@"', "sh", sys.executable, "-m", "confmig", "demo"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-500:] + done.stderr


def test_samples_of_a_bundle_with_any_name(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "daemon" / "confmig" / "example", tmp_path / "bundle")
    file = tmp_path / "bundle" / "manifest.json"
    file.write_text(file.read_text().replace('"bundle": "shop"', '"bundle": "My caf\u00e9"'))
    done = confmig("dry-run", "--bundle", tmp_path / "bundle", "--exit-code")
    assert done.code == 3, done
    assert "My caf\u00e9" in done.out
    done = confmig("dry-run", "--bundle", tmp_path / "bundle", "--target", "x")
    assert done.code == 2, done


def test_the_example_is_a_good_bundle() -> None:
    example = REPOSITORY / "daemon" / "confmig" / "example"
    done = confmig("check", "--bundle", example)
    assert done.code == 0, done
    assert confmig("dry-run", "--bundle", example, "--exit-code").code == 3


WITHOUT = """
import importlib.util, sys
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name == "bcrypt" else real(name, *a)
from confmig.cli import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.parametrize("command", ["check", "migrate", "dry-run"])
def test_a_missing_module_is_one_sentence_with_the_file_and_the_way_out(command: str) -> None:
    words = [command, "--bundle", str(REPOSITORY)]
    if command == "migrate":
        words += ["--diff", str(REPOSITORY / "migrations/fixtures/0005_users/full.input.yaml")]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done
    text = done.stdout + done.stderr
    assert "migrations/handlers/hash_password.py" in text
    assert "the Python module `bcrypt` is missing" in text
    assert "pip install 'confmig[reference]'" in text
    assert text.count("bcrypt` is missing") == 1
    assert "Traceback" not in text


def test_a_module_that_the_manifest_does_not_name_is_named_with_its_line(tmp_path: Path) -> None:
    from tests.e2e.world import Step, World, document, write_bundle

    handler = "def migrate(document, contract):\n    import no_such_module_anywhere\n"
    bundle = write_bundle(tmp_path / "bundle", (Step("0001_a", handler=handler),))
    world = World(tmp_path / "w", bundle=bundle, documents={"a.yaml": document()})
    done = world.once("--json")
    assert done.code == 4, done
    text = json.dumps(done.json)
    assert "migrations/0001_a.py:2: the Python module `no_such_module_anywhere` is missing" in text
