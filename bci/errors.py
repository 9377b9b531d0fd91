"""The errors of Rolandic.

::

    RolandicError
    └── InputError          what the user gave cannot be used; exit code 2, one line, no traceback
        ├── SettingsError   an option or a settings value
        ├── RecordingError  a file that holds, or should hold, a recording
        ├── ChannelError    channels missing, flat, doubled, not numbers
        ├── TrialError      events, classes, trials, windows, folds
        ├── ModelError      a model file, or a model that does not fit the stream
        └── StreamError     an LSL stream: not found, of the wrong kind
            ├── StreamLostError     a stream that was there and stopped
            └── StreamRefusedError  a stream that came back as another

Anything else that escapes is our fault: exit code 1. A message says what is wrong, the value that
is, and what to do about it.
"""

__all__ = [
    "ChannelError",
    "InputError",
    "ModelError",
    "RecordingError",
    "RolandicError",
    "SettingsError",
    "StreamError",
    "StreamLostError",
    "StreamRefusedError",
    "TrialError",
]


class RolandicError(Exception):
    """Base of every error that Rolandic raises on purpose."""


class InputError(RolandicError):
    """What the user gave cannot be used; the message is one line that says what to do."""


class SettingsError(InputError):
    """An option or a settings value is out of range or contradicts another."""


class RecordingError(InputError):
    """A file is not a readable recording."""


class ChannelError(InputError):
    """Channels are missing, flat, doubled or hold values that are not numbers."""


class TrialError(InputError):
    """Events, classes, trials, windows or folds do not fit together."""


class ModelError(InputError):
    """A file is no model, or a model does not fit the stream."""


class StreamError(InputError):
    """An LSL stream was not found, or is not of the kind that is needed."""


class StreamAbsentError(StreamError):
    """No LSL stream that is meant answers."""


class StreamLostError(StreamError):
    """A stream that was being read has stopped."""


class StreamRefusedError(StreamError):
    """A stream that was being read came back with another rate, other channels or another type."""
