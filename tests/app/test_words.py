"""Texts of the window go through one door, and a language is one file."""

import ast
from pathlib import Path

from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

import bci_app
from bci_app.words import Catalogue, texts_to_translate, tr, write_catalogue

_FOLDER = Path(bci_app.__file__).parent


def test_catalogue_translates_what_it_holds_and_leaves_the_rest_english(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path
) -> None:
    """A file as Qt Linguist writes it is enough; fields are filled in after translation."""
    path = tmp_path / "rolandic_fr.ts"
    path.write_text(
        '<?xml version="1.0"?><TS version="2.1" language="fr"><context><name>Rolandic</name>'
        "<message><source>{n} trials</source><translation>{n} essais</translation></message>"
        '<message><source>Stop</source><translation type="unfinished"></translation></message>'
        "</context></TS>",
        encoding="utf-8",
    )
    catalogue = Catalogue(path)
    qapp.installTranslator(catalogue)
    try:
        assert tr("{n} trials", n=3) == "3 essais"
        assert tr("Stop") == "Stop"
    finally:
        qapp.removeTranslator(catalogue)
    assert tr("{n} trials", n=3) == "3 trials"


def test_write_catalogue_keeps_what_was_translated(tmp_path: Path) -> None:
    """Every text of the source is in the file; one that was translated stays so."""
    path = tmp_path / "rolandic_de.ts"
    n_texts = len(texts_to_translate())
    assert write_catalogue(path) == n_texts > 50
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace(
            '<source>Messages</source>\n      <translation type="unfinished" />',
            "<source>Messages</source>\n      <translation>Meldungen</translation>",
        ),
        encoding="utf-8",
    )
    assert write_catalogue(path) == n_texts - 1
    assert "Meldungen" in path.read_text(encoding="utf-8")


def test_no_text_is_put_together_before_it_is_translated() -> None:
    """`tr` gets plain literals: an f-string would never be found in a catalogue."""
    for path in _FOLDER.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "tr":
                assert not isinstance(node.args[0], ast.JoinedStr), f"{path}:{node.lineno}"
