"""The plugin in the documentation: under 60 lines, and it keeps the contract."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "plugins.md"
BLOCK = re.compile(r"```(python|toml)\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the documented plugin is installed, with its test."""
    folder = tmp_path_factory.mktemp("site")
    code, project, tests = (text for _, text in BLOCK.findall(DOCUMENT.read_text("utf-8"))[:3])
    (folder / "logvar_plugin.py").write_text(code, "utf-8")
    (folder / "test_logvar.py").write_text(tests, "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n", "utf-8")
    described = tomllib.loads(project)["project"]
    info = folder / f"logvar_plugin-{described['version']}.dist-info"
    info.mkdir()
    lines = ["Metadata-Version: 2.1", f"Name: {described['name']}"]
    lines += [f"Version: {described['version']}", "Requires-Dist: rolandic"]
    (info / "METADATA").write_text("\n".join(lines) + "\n", "utf-8")
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
        for group, points in described["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(groups), "utf-8")
    return folder


def run(site: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Python where the plugin is installed."""
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=site,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )


def test_the_template_is_short(site: Path) -> None:
    """A whole plugin, decoder and arm, takes fewer than 60 lines."""
    assert len((site / "logvar_plugin.py").read_text("utf-8").splitlines()) < 60


def test_the_template_keeps_the_contract(site: Path) -> None:
    """Installed as the document says, it is found and passes the whole suite."""
    done = run(site, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_logvar.py")
    assert done.returncode == 0, done.stdout
    assert "28 passed" in done.stdout


def test_a_model_of_it_needs_it(site: Path, tmp_path: Path) -> None:
    """Its models open where it is installed; elsewhere they name it and the line to install it."""
    path = tmp_path / "model.bci"
    code = f"""
from pathlib import Path
from bci.testing import made_model
made_model("logvar").save(Path({str(path)!r}))
"""
    load = f"from bci.decoders import load_model; print(load_model({str(path)!r}).decoder)"
    done = run(site, "-c", code)
    assert done.returncode == 0, done.stderr
    assert run(site, "-c", load).stdout.strip() == "logvar"
    (site / "logvar_plugin.py").rename(tmp_path / "logvar_plugin.py")
    try:
        broken = run(site, "-c", load).stderr
    finally:
        (tmp_path / "logvar_plugin.py").rename(site / "logvar_plugin.py")
    assert "decoder 'logvar' of logvar-plugin, which could not be loaded" in broken
    from bci.decoders import load_model
    from bci.errors import ModelError

    with pytest.raises(ModelError) as raised:
        load_model(path)
    assert str(raised.value).endswith(
        "needs decoder 'logvar' of logvar-plugin, which is not installed: pip install logvar-plugin"
    )
