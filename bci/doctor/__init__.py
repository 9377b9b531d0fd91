"""Whether this machine can do what Rolandic needs: checks that say what is wrong and what to do."""

from bci.checks import Check, Status
from bci.doctor.run import CHECKS, examine

__all__ = ["CHECKS", "Check", "Status", "examine"]
