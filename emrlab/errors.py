"""The two kinds of error emrlab raises: one for people, one for AWS clients."""

from __future__ import annotations


class LabError(Exception):
    """Something a person can put right; the message ends with what to do next."""


class AwsError(Exception):
    """An error as an AWS service answers it.

    ``code`` is the modelled error's name (``InvalidRequestException``), ``status`` the HTTP status,
    ``members`` further members of the modelled error shape (for EMR: ``ErrorCode``).
    """

    def __init__(self, code: str, message: str, status: int = 400, **members: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.members = members
