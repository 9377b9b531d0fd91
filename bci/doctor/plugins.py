"""Decoders and arms that others install: which are there, and which are not and why."""

from bci.checks import Check, ok, warning

__all__ = ["plugins"]


def plugins(name: str) -> Check:
    """List what came in through entry points; what lacks an extra is no fault, what breaks is."""
    from bci.decoders import available_decoders
    from bci.decoders.adapt import ARMS, absent_arms, available_arms

    ours = "bci."
    absent = dict(absent_arms())
    there = [arm for arm in available_arms() if arm not in ARMS and arm not in absent]
    for decoder, entry in available_decoders().items():
        if entry.factory is None:
            absent[decoder] = entry.reason
        elif not entry.factory.__module__.startswith(ours):
            there.append(decoder)
    found = f"usable: {', '.join(sorted(there))}" if there else "none"
    # Not installed is a choice; anything else is a plugin that broke.
    optional = {n: why for n, why in absent.items() if "No module named" in why}
    broken = {n: why for n, why in absent.items() if n not in optional}
    off = [
        f"{', '.join(sorted(n for n in optional if optional[n] == why))} off ({why})"
        for why in sorted(set(optional.values()))
    ]
    told = "; ".join([found, *off])
    if broken:
        names = ", ".join(sorted(broken))
        reasons = "; ".join(f"{n}: {why}" for n, why in sorted(broken.items()))
        return warning(
            name, f"{told}; broken: {reasons}", f"update or uninstall what brings {names}"
        )
    return ok(name, told)
