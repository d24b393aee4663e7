"""Readers for PySSMic folders, XML and pickles."""
