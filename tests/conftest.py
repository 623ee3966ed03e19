"""What every test may ask for."""

import signal

pytest_plugins = ["tests.servers.fixtures"]

# A run in the background of a script inherits that interrupts are ignored, and hands that on to the processes that
# the tests start in order to interrupt them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
