"""Rolandic's window: from electrodes to a report, over `bci.experiment.session.Session`.

It shows and asks; `bci` decides and computes. Nothing in here holds numerics or waits.
"""
