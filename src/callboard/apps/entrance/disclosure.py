"""What of an error may be told to who asks: names of files, servers and databases stay in the log."""

import logging

from callboard.domain.errors import CallboardError, LeaseLost, RowRefused, StoreError, StoreForbidden

_log = logging.getLogger("callboard.gateway")


def disclosed(error: CallboardError, request_id: str = "-") -> CallboardError:
    """The error itself; for one of the store another of its class, which says nothing of the place: the log does."""
    if not isinstance(error, StoreError) or isinstance(error, LeaseLost):
        return error
    _log.warning("request %s: %s", request_id, error)
    if isinstance(error, RowRefused):
        return RowRefused("the store cannot hold a value that was sent", remedy="send other characters or numbers")
    if isinstance(error, StoreForbidden):
        return StoreForbidden(
            "this gateway may not change that", remedy="do it at one that was started with --operator, or by the CLI"
        )
    return type(error)("the store could not do this", remedy="try again; the log says why")
