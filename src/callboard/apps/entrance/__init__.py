"""What all HTTP doors share: who asks, how much may be asked, and how it is refused."""

from callboard.apps.entrance.entrance import At, Entrance
from callboard.apps.entrance.forms import form
from callboard.apps.entrance.problems import Problem, problem
from callboard.apps.entrance.quick import QuickRoute
from callboard.apps.entrance.reading import StrictRoute

__all__ = ["At", "Entrance", "Problem", "QuickRoute", "StrictRoute", "form", "problem"]
