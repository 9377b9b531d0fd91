"""What may stand for a person or a session in a file name, a header or a settings file.

Names of files and streams travel: over LSL to every machine that asks, into BIDS, into a
publication. So an id is one that nobody can read a person from, in letters and digits alone (a BIDS
label): a study's word or at most three letters, then at most five digits, then at most two letters:
``S01``, ``P012``, ``sub003``, ``VP12a``, ``pilot1``, ``042``. No rule can tell every name
(``Aya1``); this one refuses what is common, with the reason.
"""

import re
from datetime import datetime

__all__ = ["check_pseudonym", "check_session"]

_WORDS = (
    "sub|subj|subject|participant|part|patient|pat|proband|volunteer|control|ctrl|stroke|healthy|"
    "pilot|test|demo|sim|simulated|phantom|person"
)
_SESSION_WORDS = (
    "ses|sess|session|run|visit|day|week|month|pre|post|mid|base|baseline|followup|screening|"
    "calibration|training|train|online|feedback|test|retest|pilot|demo|home|lab|on|off"
)
#: Letters, digits, letters: what is left when the study's words are taken for letters.
_SHORT = "[A-Za-z]{0,3}"
_PERSON = re.compile(rf"(?:(?i:{_WORDS})|{_SHORT})[0-9]{{1,5}}[A-Za-z]{{0,2}}")
_SESSION = re.compile(
    rf"(?i:{_SESSION_WORDS})?[0-9]{{0,5}}[A-Za-z]{{0,2}}|{_SHORT}[0-9]{{1,5}}[A-Za-z]{{0,2}}"
)
#: Given names of three letters that are common where EEG is recorded: longer ones fit no pattern.
_GIVEN = frozenset(
    "ada aki ali amy ana ann ari aya bea ben bob cem dan don eli ema eva eve fay gil ian ida ina "
    "ivo jan jim joe jon jun kai ken kim lea lee leo lia liz lou luc mai max meg mei mia mio noa "
    "pam per pia ray rob roy ron rui sam sue tea ted tim tom uli uwe udo wei yan yui zoe".split()
)
#: Digits that can be read as a day, in the orders that people write.
_DATES = {8: ("%Y%m%d", "%d%m%Y", "%m%d%Y"), 6: ("%y%m%d", "%d%m%y", "%m%d%y")}
_SEPARATED = re.compile(r"\b\d{1,4}\s*[-./_ ]\s*(?:\d{1,2}|[A-Za-z]{3,9})\.?\s*[-./_ ]\s*\d{1,4}\b")
_MONTH = re.compile(
    r"(?i)\d(?:jan|feb|mar|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)[a-z]*\d"
)
_WRITE = "write a pseudonym such as S01 and keep the list of names elsewhere"


def check_pseudonym(text: str) -> str:
    """Return the id of a person if it is a pseudonym.

    >>> [check_pseudonym(text) for text in ("S01", "VP12a", "pilot3", "042")]
    ['S01', 'VP12a', 'pilot3', '042']
    >>> check_pseudonym("Mueller")
    Traceback (most recent call last):
    ...
    ValueError: this reads as a name: write a pseudonym such as S01 and keep ...

    Raises
    ------
    ValueError
        With the reason and what to write instead; pydantic makes it a message that names the
        setting.
    """
    reason = _reason(text)
    if reason is None and not re.search("[0-9]", text):
        reason = "this reads as a name"
    if reason is None and not _PERSON.fullmatch(text):
        reason = _shape_reason(text)
    if reason is not None:
        raise ValueError(f"{reason}: {_WRITE}")
    return text


def check_session(text: str) -> str:
    """Return the id of a session if it names no person and no date.

    >>> [check_session(text) for text in ("01", "pre", "week2", "S003")]
    ['01', 'pre', 'week2', 'S003']

    Raises
    ------
    ValueError
        As :func:`check_pseudonym`.
    """
    reason = _reason(text)
    if reason is None and not _SESSION.fullmatch(text):
        reason = _shape_reason(text)
    if reason is not None:
        raise ValueError(f"{reason}: write a session such as 01, pre or week2")
    return text


def _reason(text: str) -> str | None:
    """Say what in a text tells of a person, or is no label at all; None: nothing that is seen."""
    if not text:
        return "it is empty"
    if "@" in text:
        return "this reads as an e-mail address"
    if _SEPARATED.search(text) or _MONTH.search(text) or any(map(_is_date, _digits(text))):
        return "this reads as a date, perhaps of birth"
    if not re.fullmatch("[A-Za-z0-9]+", text):
        return "only the letters A to Z and digits may stand here, and this reads as a name"
    if _GIVEN.intersection(re.findall("[a-z]+", text.lower())):
        return "this reads as a given name"
    return None


def _shape_reason(text: str) -> str:
    if any(len(digits) > 5 for digits in _digits(text)):
        return "so many digits read as a number of a patient or an insurance"
    return "more than three letters that are no word of a study read as a name"


def _digits(text: str) -> list[str]:
    return re.findall("[0-9]+", text)


def _is_date(digits: str) -> bool:
    """Say whether digits can be a day, or a year in which a living person was born."""
    if len(digits) == 4:
        return 1900 <= int(digits) <= datetime.now().year
    for form in _DATES.get(len(digits), ()):
        try:
            day = datetime.strptime(digits, form)
        except ValueError:
            continue
        if len(digits) == 6 or 1900 <= day.year <= 2100:
            return True
    return False
