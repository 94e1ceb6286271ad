"""Whose fault it is: every exception of the package, each also a builtin kind."""

from __future__ import annotations


class ChcError(Exception):
    """Base of all errors that a user can cause; its text is one line for that user."""


class UsageError(ChcError, ValueError):
    """The caller's argument, model, chain or schedule is malformed."""


class CaptureError(ChcError, ValueError):
    """The capture file cannot be read as pcap or pcapng."""


class WireFormatError(ChcError, ValueError):
    """A datagram is not one of ours."""


class ToolError(ChcError, RuntimeError):
    """An outside tool (Java, TLC) is missing or failed."""


class ModelError(ChcError, RuntimeError):
    """A step was not a function of its inputs, or left the declared topology."""


class CheckerError(ChcError, RuntimeError):
    """The checker contradicts itself: what it has found is not so when it is run again."""
