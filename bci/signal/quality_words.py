"""The words for the quality of an electrode, and how they are to be seen."""

__all__ = ["BAD", "QUALITIES", "grade"]

#: From best to worst: the number of a quality on the network is its place here.
QUALITIES = (
    "good",
    "mains",
    "muscle",
    "blinking",
    "drifting",
    "high impedance",
    "bridged",
    "popping",
    "noisy",
    "unlike others",
    "saturated",
    "flat",
    "not a number",
)
#: From such channels nothing should be decoded; those before them only deserve care.
BAD = QUALITIES[QUALITIES.index("popping") :]


def grade(word: str) -> str:
    """Return how a quality is to be seen: ``"good"``, ``"care"``, ``"bad"``, or ``"unknown"``.

    >>> [grade(word) for word in ("good", "mains", "flat", "")]
    ['good', 'care', 'bad', 'unknown']
    """
    if not word:
        return "unknown"
    if word == "good":
        return "good"
    return "bad" if word in BAD else "care"
