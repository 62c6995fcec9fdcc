"""A server of our own on 127.0.0.1 that speaks the providers' real wire formats, with faults on demand."""

from tests.loopback import policy
from tests.loopback.faults import Fault, Kind
from tests.loopback.server import Loopback, Seen

__all__ = ["Fault", "Kind", "Loopback", "Seen", "policy"]
