"""The logarithm as a sum of simple fractions, for matrices.

``log x`` is near ``sum_k r_k / (1 + s_k) - r_k / (x + s_k)`` on [1/R, R]: the rational function of
type (m, m) that equals the logarithm at 2m + 1 Zolotarev nodes, x_j = R dn((2j - 1) K / (4m + 2))^2
of parameter 1 - 1 / R^2. (Those are where an interpolant with poles on the negative axis does best,
up to a small factor; the logarithm is a Stieltjes function, so all poles are there: shifts s_k and
weights r_k are positive.) The error falls like exp(-pi^2 m / log(4 R)). As log(1/x) = -log x, each
shift s with weight r has a twin 1/s with weight r / s^2.

Made with 150 digits (mpmath): the interpolation's linear equations, the roots of the denominator,
their residues. Largest errors, sampled at 2001 points with all digits: 7.6e-15, 1.3e-14, 2.3e-14.

The kernels of `bci.riemann.logarithms` hold these numbers as constants: Numba compiles them anew
when that file changes, not when this one does.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["COUNTS", "RANGES", "TABLES"]

F64 = NDArray[np.float64]

_HALF_12 = (
    (0.005598381279402794, 0.014594135725485425),
    (0.03154412406817769, 0.03871141303315485),
    (0.08733065056196193, 0.07591830641671711),
    (0.19199278852303883, 0.13929279718314727),
    (0.38231181056905705, 0.25256158388717964),
    (0.7288138026030828, 0.46255504736516795),
)
_HALF_16 = (
    (0.001739086974265183, 0.004534227990055958),
    (0.009804273649110356, 0.012037906621289214),
    (0.027154056654513536, 0.023605378147280656),
    (0.05964262728527302, 0.04314327811082386),
    (0.118260805750002, 0.07730465759316048),
    (0.22294650927826118, 0.13785093589599895),
    (0.40964992451679494, 0.24602603349546212),
    (0.7435778686501802, 0.44104820067797473),
)
_HALF_28 = (
    (5.043422244661229e-05, 0.00013156400883310574),
    (0.00028496913853743883, 0.0003507733265176741),
    (0.0007922968191534593, 0.0006923538877944619),
    (0.001749151684937883, 0.0012750508049629863),
    (0.0034887692721246896, 0.002301814512590881),
    (0.006617047580533984, 0.0041303235564197965),
    (0.012223655978396341, 0.007397603937102289),
    (0.02226171279064056, 0.013242011917354354),
    (0.04022836730716263, 0.02369996688238213),
    (0.07238355757198894, 0.042415828503588715),
    (0.1299320401008604, 0.07591278599919339),
    (0.23293042238763947, 0.13586927935420098),
    (0.4172852163561283, 0.24319963893608376),
    (0.7472954216968645, 0.4353785669259891),
)


def _table(half: tuple[tuple[float, float], ...], width: int) -> F64:
    s, r = np.array(half).T
    table = np.zeros((2, width))
    table[:, : 2 * len(s)] = [np.append(s, 1 / s), np.append(r, r / s**2)]
    return table


#: Largest ratio of the spectrum's ends that a table serves: R squared.
RANGES = np.array([8.5**2, 28.0**2, 1e6])

#: Poles of each table.
COUNTS = np.array([12, 16, 28])

#: Shifts and weights, shape (3, 2, 28).
TABLES = np.stack([_table(half, int(COUNTS.max())) for half in (_HALF_12, _HALF_16, _HALF_28)])
