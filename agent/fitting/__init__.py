"""Fitting: labelled pools out of the event log, weights from them, and the certificate."""
