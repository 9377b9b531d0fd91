"""The settings file: read whole, or refused with file, line, key and what would be right."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from shutil import which

import pytest

from bci.daemon.settings import DaemonSettings, load_settings
from bci.errors import SettingsError

PACKAGING = Path(__file__).parents[2] / "packaging"
GOOD = """\
[workspace]
folder = "lab"
subject = "S01"

[[streams]]
source_id = "amp"
use = "eeg"
"""


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], DaemonSettings]:
    """``load(text)``: read a settings file with that text."""

    def read(text: str) -> DaemonSettings:
        path = tmp_path / "session.toml"
        path.write_bytes(text.encode())
        return load_settings(path)

    return read


def refusal(load: Callable[[str], DaemonSettings], text: str) -> str:
    """Return why a file is refused, without its path."""
    with pytest.raises(SettingsError) as caught:
        load(text)
    message = str(caught.value)
    assert "\n" not in message
    path, message = message.split("session.toml", 1)
    assert Path(path).is_absolute()
    return message


def test_paths_are_relative_to_the_file(
    load: Callable[[str], DaemonSettings], tmp_path: Path
) -> None:
    """Wherever the daemon is started, a file means the same."""
    settings = load(GOOD + '[decoding]\nmodel = "models/m.bci"\n')
    assert settings.workspace.folder == tmp_path / "lab"
    assert settings.decoding is not None
    assert settings.decoding.model == tmp_path / "models" / "m.bci"


def test_the_example_is_loaded_and_safe() -> None:
    """What packaging/ ships works, publishes nothing and listens nowhere."""
    settings = load_settings(PACKAGING / "session.toml")
    assert settings.stream("eeg") is not None
    assert not settings.remote.enabled
    assert not settings.quality.publish
    assert settings.lsl.scope == "machine"


def test_the_example_with_everything_in_it_is_loaded(tmp_path: Path) -> None:
    """Each default that the example mentions is the default, and each key exists."""
    text = (PACKAGING / "session.toml").read_text(encoding="utf-8")
    lines = []
    for line in text.splitlines():
        bare = line.removeprefix("# ")
        is_setting = bare.startswith("[") or " = " in bare.split("#")[0]
        if line.startswith("# ") and is_setting and bare[:1].islower() | bare.startswith("["):
            line = bare
        lines.append(line)
    told = "\n".join(lines).replace('token = "..."', 'token = "0123456789abcdef"')
    told = told.replace("# use", "use")
    path = tmp_path / "all.toml"
    path.write_text(told, encoding="utf-8")
    settings, plain = load_settings(path), load_settings(PACKAGING / "session.toml")
    assert settings.decoding is not None
    assert settings.recording == plain.recording
    assert settings.quality == plain.quality
    assert settings.lsl == plain.lsl
    assert settings.remote.port == plain.remote.port


def test_the_unit_is_sound() -> None:
    """Systemd itself finds nothing wrong with the unit."""
    analyze = which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd-analyze here")
    done = subprocess.run(
        [analyze, "verify", str(PACKAGING / "rolandic.service")],
        capture_output=True,
        text=True,
        check=False,
    )
    complaints = [line for line in done.stderr.splitlines() if "rolandic.service" in line]
    assert not complaints


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('folder = "lab"\n', "", ", line 1: workspace.folder is missing: add it"),
        ('use = "eeg"', 'use = "egg"', ", line 7: streams[1].use = 'egg': "),
        ('use = "eeg"', 'us = "eeg"', ", line 7: streams[1].us is no setting: is 'use' meant?"),
        ('source_id = "amp"\n', "", ", line 5: streams[1]: say which stream is meant"),
        ('subject = "S01"', "subject = 5", ", line 3: workspace.subject: "),
        ('subject = "S01"', 'subject = "S01', ": no TOML: "),
        ('"lab"', '"lab\\q"', ": no TOML: "),
        ("[workspace]", "[works]", ", line 1: works is no setting: is 'workspace' meant?"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    load: Callable[[str], DaemonSettings], old: str, new: str, message: str
) -> None:
    """The message leads to the place, and says what would be right."""
    assert refusal(load, GOOD.replace(old, new)).startswith(message)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("[recording]\nsync_s = -1\n", ", line 9: recording.sync_s = -1: "),
        ("[recording]\nsync_s = nan\n", ", line 9: recording.sync_s = nan: "),
        ("recording.write_s = 5\n", ", line 8: streams[1].recording is no setting"),
        ("[recording]\nrequire_all = true\n", "recording.require_all = true: the daemon records"),
        ('[recording]\ntemplate = "../x.xdf"\n', "recording.template = '../x.xdf': "),
        ('[recording]\ntemplate = "C:/x.xdf"\n', "recording.template = 'C:/x.xdf': "),
        ('[[streams]]\nname = "a"\nuse = "eeg"\n', ": at most one of the streams may have use"),
        ('[[streams]]\nsource_id = "amp"\n', ": two of the streams are the same"),
        ('[decoding]\nmodel = "m"\nhop_s = 0\n', ", line 10: decoding.hop_s = 0: "),
        ("[lsl]\nscope = 'world'\n", ", line 9: lsl.scope = 'world': "),
    ],
)
def test_what_contradicts_is_refused(
    load: Callable[[str], DaemonSettings], more: str, message: str
) -> None:
    """So is what is out of range, and what leads out of the workspace."""
    assert message in refusal(load, GOOD + more)


@pytest.mark.parametrize("value", ["Mueller", "1970-02-01", "john.smith@example.org"])
def test_a_name_is_refused_and_not_repeated(
    load: Callable[[str], DaemonSettings], value: str
) -> None:
    """The reason is given; the name does not travel on into logs."""
    message = refusal(load, GOOD.replace("S01", value))
    assert "line 3: workspace.subject: " in message
    assert "pseudonym" in message
    assert value not in message


@pytest.mark.parametrize(
    "remote",
    [
        'token = "hunter2"',
        'tokn = "hunter2hunter2"',
        'token = ["hunter2"]',
        'enabled = 5\ntoken = "hunter2hunter2hunter2"\naddress = "0.0.0.0"',
    ],
)
def test_a_secret_is_never_repeated(load: Callable[[str], DaemonSettings], remote: str) -> None:
    """Whatever is wrong with it, or beside it."""
    assert "hunter2" not in refusal(load, f"{GOOD}[remote]\n{remote}\n")


def test_several_mistakes_come_at_once(load: Callable[[str], DaemonSettings]) -> None:
    """Five are said, and how many more there are."""
    text = GOOD + "[recording]\n" + "".join(f"x{k} = {k}\n" for k in range(8))
    message = refusal(load, text)
    assert message.count("is no setting") == 5
    assert message.endswith("; and 3 more")


def test_what_is_no_settings_file(tmp_path: Path) -> None:
    """A folder, nothing, bytes that are no text, megabytes: each in one line."""
    text = tmp_path / "bytes.toml"
    text.write_bytes(b"# fine\nx = '\xff'\n")
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * (2 << 20))
    deep = tmp_path / "deep.toml"
    deep.write_text(f"x = {'[' * 5000}{']' * 5000}\n", encoding="utf-8")
    for path, reason in (
        (tmp_path, "cannot be read"),
        (tmp_path / "none.toml", "cannot be read"),
        (text, "line 2: not UTF-8"),
        (large, "larger than"),
        (deep, "no TOML"),
    ):
        with pytest.raises(SettingsError, match=reason):
            load_settings(path)


def test_a_text_of_windows_is_read(load: Callable[[str], DaemonSettings]) -> None:
    """A byte order mark and carriage returns change neither values nor lines."""
    assert load("\ufeff" + GOOD.replace("\n", "\r\n")).workspace.subject == "S01"
    wrong = "\ufeff" + GOOD.replace('"eeg"', '"x"').replace("\n", "\r\n")
    assert ", line 7: streams[1].use" in refusal(load, wrong)
