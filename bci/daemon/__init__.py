"""``bci daemon``: a process without a screen that acquires, records, decodes and publishes."""
