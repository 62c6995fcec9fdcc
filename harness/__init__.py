"""Plans, answers, judges, records, counts, reports. Never imports `train`."""

__version__ = "0.1.0"
