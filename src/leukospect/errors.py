"""The errors and warnings of the project: each says what was found, where, and what to do."""


class LeukospectError(Exception):
    """Base of every error a user's input can cause; the command line turns it into exit code 3."""


class InputError(LeukospectError):
    """A file, folder or value that cannot be used: unreadable, of the wrong kind, inconsistent."""


class GeometryError(LeukospectError):
    """A position, orientation, spacing or angle that is missing, impossible or contradictory."""


class MissingInformationError(LeukospectError):
    """Something that must be known is not recorded; the message names the option that supplies it."""


class ProtocolError(LeukospectError):
    """A protocol, rule, phantom or region file that is not valid."""


class AssumptionWarning(UserWarning):
    """Something was assumed because the input does not say it; it reaches the report."""
