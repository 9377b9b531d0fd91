"""Before a session: whether what it needs is there, and what to do where it is not.

For the commands, the daemon and the window alike: `examine` a `Plan`.
"""

from bci.preflight.plan import ExpectedStream, Plan
from bci.preflight.run import examine
from bci.preflight.streams import recorder_tells, tells_absence

__all__ = ["ExpectedStream", "Plan", "examine", "recorder_tells", "tells_absence"]
