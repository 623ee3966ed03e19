"""What the figures were measured on."""

import os
import platform
from collections.abc import Iterator


def facts() -> Iterator[tuple[str, str]]:
    """What all figures depend on, each as name and value."""
    yield "cores", str(os.cpu_count())
    yield "load", f"{os.getloadavg()[0]:.2f} when it began"
    yield "python", platform.python_version()
