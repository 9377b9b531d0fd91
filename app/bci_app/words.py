"""Translation: every text of the window goes through `tr`, so that a language is one file.

The file is ``translations/rolandic_LANGUAGE.ts``, as Qt Linguist edits it; it is read as it is, and
nothing needs to be compiled. ``python -m bci_app.words FILE`` writes or completes one with all
texts that are in the source.
"""

import ast
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QLocale, QTranslator

__all__ = [
    "Catalogue",
    "class_words",
    "install_language",
    "languages",
    "texts_of_source",
    "texts_to_translate",
    "tr",
    "write_catalogue",
]

_CONTEXT = "Rolandic"
_FOLDER = Path(__file__).with_name("translations")


def tr(text: str, **values: object) -> str:
    """Translate a text, then fill in its values.

    Parameters
    ----------
    text : str
        English, with fields such as ``{n}``; what translators see.
    **values : object
    """
    translated = QCoreApplication.translate(_CONTEXT, text) or text
    return translated.format(**values) if values else translated


def class_words(name: str) -> str:
    """Return what a class is called where patients read it, translated."""
    known = {
        "left_hand": tr("left hand"),
        "right_hand": tr("right hand"),
        "both_hands": tr("both hands"),
        "feet": tr("feet"),
        "tongue": tr("tongue"),
        "rest": tr("rest"),
    }
    return known.get(name, name.replace("_", " "))


class Catalogue(QTranslator):
    """The texts of one language.

    Parameters
    ----------
    path : Path
        A ``.ts`` file. What it does not translate, or cannot be read, stays English.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._texts = dict(_translated(path))

    def translate(
        self, context: str, source: str, disambiguation: str | None = None, n: int = -1
    ) -> str:
        """Return the translation; empty where there is none."""
        return self._texts.get(source, "")

    def isEmpty(self) -> bool:  # noqa: N802 - Qt's name
        """Whether nothing is translated."""
        return not self._texts


def languages() -> dict[str, Path]:
    """Return the languages that there is a file for, by their code."""
    return {
        path.stem.removeprefix("rolandic_"): path for path in sorted(_FOLDER.glob("rolandic_*.ts"))
    }


def install_language(application: QCoreApplication, code: str | None = None) -> None:
    """Translate the window from now on.

    Parameters
    ----------
    application : QCoreApplication
    code : str, optional
        Such as ``"fr"``; default: the system's language. English where there is no file.
    """
    name = code or QLocale.system().name()
    there = languages()
    path = there.get(name) or there.get(name.split("_")[0])
    if path is not None:
        catalogue = Catalogue(path)
        catalogue.setParent(application)
        application.installTranslator(catalogue)


def texts_of_source(folder: Path | None = None) -> list[str]:
    """Return all texts that the source hands to `tr`, each once, in order."""
    found: dict[str, None] = {}
    for path in sorted((folder or Path(__file__).parent).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _names_tr(node.func) and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found[first.value] = None
    return list(found)


def _names_tr(function: ast.expr) -> bool:
    return isinstance(function, ast.Name) and function.id == "tr"


def texts_to_translate() -> list[str]:
    """Return all texts that a language needs: those of the source, and answers of the core."""
    # The window needs no decoders to start.
    from bci.experiment.calibration_score import ANSWERS

    return list(dict.fromkeys((*texts_of_source(), *ANSWERS.values())))


def write_catalogue(path: Path) -> int:
    """Write or complete a ``.ts`` file; return how many texts wait to be translated."""
    done = dict(_translated(path)) if path.exists() else {}
    root = ET.Element("TS", version="2.1", language=path.stem.removeprefix("rolandic_"))
    context = ET.SubElement(root, "context")
    ET.SubElement(context, "name").text = _CONTEXT
    waiting = 0
    for text in texts_to_translate():
        message = ET.SubElement(context, "message")
        ET.SubElement(message, "source").text = text
        translation = ET.SubElement(message, "translation")
        if text in done:
            translation.text = done[text]
        else:
            translation.set("type", "unfinished")
            waiting += 1
    ET.indent(root)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    return waiting


def _translated(path: Path) -> Iterator[tuple[str, str]]:
    for message in ET.parse(path).getroot().iter("message"):
        source, found = message.findtext("source"), message.find("translation")
        if source and found is not None and found.text and found.get("type") != "unfinished":
            yield source, found.text


if __name__ == "__main__":
    target = Path(sys.argv[1])
    sys.stdout.write(f"{write_catalogue(target)} texts wait to be translated in {target}\n")
