"""What a session needs only later, imported and compiled before it would stop a run.

An import holds the interpreter for tens of milliseconds at a time: traces and feedback of a window
would stand still when a model is loaded in mid-session.
"""

__all__ = ["import_ahead"]


def import_ahead() -> None:
    """Import what models, streams and plugins need; seconds, in a thread."""
    import skops.io  # noqa: F401 - it imports all of scikit-learn

    from bci.decoders.adapt import available_arms
    from bci.signal.envelope import warm_up

    available_arms()
    warm_up()
