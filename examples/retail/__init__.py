"""A shop with sixteen tools: the outside system that agents work on, and the agents that work on it."""

from examples.retail.desk import handle
from examples.retail.enquiries import concierge
from examples.retail.refunds import refund_with_approval
from examples.retail.tools import app

__all__ = ["app", "concierge", "handle", "refund_with_approval"]
