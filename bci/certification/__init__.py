"""Whether this machine, with this source, is as quick and as lossless as it must be."""

from bci.certification.certificate import Certificate, Measured, judge
from bci.certification.floor import FloorThread
from bci.certification.rehearsal import rehearsal_model
from bci.certification.run import certify

__all__ = ["Certificate", "FloorThread", "Measured", "certify", "judge", "rehearsal_model"]
