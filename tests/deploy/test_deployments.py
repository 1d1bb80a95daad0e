"""The deployments of deploy/, each by a real tool.

Kubernetes' schemas, systemd, and the image's file system as the Dockerfile makes it, run without
root and read-only.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from confmig.core.policy import model as policies
from tests.e2e.odd import NOBODY, _call, apart
from tests.e2e.world import FREE, REPOSITORY, TWO, World, _run, document, write_bundle

DEPLOY = REPOSITORY / "deploy"


def documents() -> list[Any]:
    text = (DEPLOY / "kubernetes" / "confmig.yaml").read_text()
    return [d for d in yaml.safe_load_all(text) if d is not None]


@pytest.mark.slow
@pytest.mark.parametrize("data", documents(), ids=lambda d: str(d["kind"]))
def test_the_manifests_fit_the_schemas_of_kubernetes(data: Any) -> None:
    import kubernetes_validate

    for version in ("1.29", "1.31", kubernetes_validate.latest_version()):
        kubernetes_validate.validate(data, version, strict=True)


@pytest.mark.slow
def test_the_schemas_notice_a_wrong_key() -> None:
    import kubernetes_validate

    [deployment] = [d for d in documents() if d["kind"] == "Deployment"]
    deployment["spec"]["template"]["spec"]["initContainers"][1]["restartPolicies"] = "Always"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, "1.29", strict=True)


def test_the_sidecar_is_closed_and_starts_before_the_service() -> None:
    [deployment] = [d for d in documents() if d["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    [sidecar] = [c for c in pod["initContainers"] if c["name"] == "confmig"]
    assert sidecar["restartPolicy"] == "Always"
    assert sidecar["startupProbe"]["httpGet"]["path"] == "/startupz"
    assert sidecar["securityContext"]["readOnlyRootFilesystem"] is True
    assert sidecar["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_the_settings_and_the_policy_of_the_sample_are_valid(tmp_path: Path) -> None:
    from confmig import settings
    from confmig.worker.local import LocalWorker

    [config] = [d for d in documents() if d["kind"] == "ConfigMap"]
    file = tmp_path / "confmig.yaml"
    file.write_text(config["data"]["confmig.yaml"])
    loaded = settings.load(file, {}, LocalWorker())
    [deployment] = [d for d in documents() if d["kind"] == "Deployment"]
    [sidecar] = deployment["spec"]["template"]["spec"]["initContainers"][1:]
    mounts = {m["mountPath"]: m for m in sidecar["volumeMounts"]}
    [target] = loaded.targets
    assert str(target.root) in mounts
    assert mounts[str(target.bundle)]["readOnly"] is True
    assert str(loaded.state_dir.parent) in mounts  # a subdirectory of the volume
    data = yaml.safe_load(config["data"]["policy.yaml"])
    assert policies.read(data, "policy.yaml").problems == ()


# --- systemd


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a command that exists on this machine."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    text = (DEPLOY / "systemd" / "confmig.service").read_text()
    assert text.count("/opt/confmig/bin/confmig ") == 1
    file = tmp_path / "confmig.service"
    file.write_text(text.replace("/opt/confmig/bin/confmig ", f"{sys.executable} -m confmig "))
    return file


@pytest.mark.slow
def test_systemd_verifies_the_unit(unit: Path) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "confmig" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


@pytest.mark.slow
def test_systemd_notices_a_wrong_key(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("WatchdogSec=60", "WatchdogSec=soon"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    assert "soon" in done.stderr


@pytest.mark.slow
def test_the_unit_is_hardened(unit: Path) -> None:
    words = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", unit]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    if "--offline" in done.stderr:
        pytest.skip("this systemd-analyze judges only units that are loaded")
    assert done.returncode == 0, done.stdout[-600:]
    print(done.stdout.strip().splitlines()[-1])


# --- the image


def _stages() -> list[list[str]]:
    """The instructions of the Dockerfile, by stage."""
    text = (DEPLOY / "docker" / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [li.strip() for li in text.splitlines() if li.strip() and not li.startswith("#")]
    stages: list[list[str]] = []
    for line in lines:
        if line.startswith("FROM "):
            stages.append([])
        stages[-1].append(line)
    return stages


def test_the_last_stage_has_no_root_and_no_build_tools() -> None:
    build, last = _stages()
    assert "USER 65534:65534" in last
    assert not [line for line in last if line.startswith("RUN ")]
    assert [line for line in last if line.startswith("COPY ")] == [
        "COPY --from=build /opt/confmig /opt/confmig"
    ]
    allowed = (DEPLOY / "docker" / "Dockerfile.dockerignore").read_text().splitlines()
    for line in build:
        if line.startswith("COPY "):
            for source in line.split()[1:-1]:
                assert f"!{source}" in allowed


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``/opt/confmig`` as the build stage makes it, from what it copies and nothing else."""
    folder = tmp_path_factory.mktemp("image")
    source, made = folder / "src", folder / "opt" / "confmig"
    source.mkdir()
    for line in _stages()[0]:
        words = line.split()
        if words[0] == "COPY":
            for name in words[1:-1]:
                if (REPOSITORY / name).is_dir():
                    ignored = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(REPOSITORY / name, source / name, ignore=ignored)
                else:
                    shutil.copy(REPOSITORY / name, source / name)
        elif words[0] == "RUN":
            command = line.removeprefix("RUN ").replace("/opt/confmig", str(made))
            command = re.sub(r"^python ", f"{sys.executable} ", command)
            done = subprocess.run(
                command, shell=True, cwd=source, capture_output=True, text=True, check=False
            )
            if done.returncode and "pip" in command and "onnection" in done.stderr:
                pytest.skip(f"pip cannot reach its index: {done.stderr.strip()[-200:]}")
            assert done.returncode == 0, done.stdout + done.stderr
    return made


@pytest.fixture
def alone() -> Iterator[None]:
    """A mount namespace of our own, in which everything is read-only but /tmp."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount")
    with apart() as why:
        if why:
            pytest.skip(why)
        yield


@pytest.mark.slow
def test_the_image_runs_read_only_and_without_root(
    image: Path, alone: None, tmp_path: Path
) -> None:
    """As the container does: uid 65534, no capability, a read-only root, three volumes."""
    root = Path("/tmp") / f"confmig-image-{os.getpid()}"
    root.mkdir(mode=0o755)
    try:
        assert _call("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", root) == ""
        shutil.copytree(image, root / "opt" / "confmig", symlinks=True)
        bundle = write_bundle(root / "bundle", TWO)
        world = World(root / "w", bundle=bundle, policy=FREE, documents={"a.yaml": document()})
        (root / "state").mkdir()
        for path in (world.config, world.config / "a.yaml"):
            os.chown(path, NOBODY, NOBODY)
        for name, folder in (("config", world.config), ("state", root / "state")):
            options = "mode=0777,uid=0"
            if name == "state":
                assert _call("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder) == ""
        text = world.settings.read_text()
        world.settings.write_text(
            text.replace("state_dir: state", f"state_dir: {root}/state/state")
        )
        assert _call("mount", "--bind", world.config, world.config) == ""
        assert _call("mount", "-o", "remount,bind,ro", root) == ""
        user = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        user += ["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
        [entry] = [li for li in _stages()[1] if li.startswith("ENTRYPOINT ")]
        command = json.loads(entry.removeprefix("ENTRYPOINT "))
        command[0] = command[0].replace("/opt/confmig", f"{root}/opt/confmig")
        interpreter = f"{root}/opt/confmig/bin/python"
        words = [*user, interpreter, *command, "run", "--once", "--settings", str(world.settings)]
        done = _run(words, Path("/"), 60, {"PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"})
        assert done.code == 0, done
        assert world.version("a.yaml") == 2
        refused = subprocess.run(
            [*user, "touch", f"{root}/opt/x"], capture_output=True, text=True, check=False
        )
        assert "Read-only file system" in refused.stderr
    finally:
        for folder in (root / "w" / "config", root / "state", root):
            _call("umount", folder)
        root.rmdir()
