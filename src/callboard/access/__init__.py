"""Who may do what, recorded."""

from callboard.access.access import Access
from callboard.access.credentials import NewKey
from callboard.access.desk import Desk
from callboard.access.logins import Entered
from callboard.access.trail import Report

__all__ = ["Access", "Desk", "Entered", "NewKey", "Report"]
