"""Where a record comes from: the chain from an injection, a target, an impact or a row of telemetry to its inputs.

Everything is read from the published version alone. Texts are untrusted: whoever shows them escapes them.
"""

from faultset.release.provenance.addresses import explain, needed
from faultset.release.provenance.chain import Chain, Content, Fact, Step, plain

__all__ = ["Chain", "Content", "Fact", "Step", "explain", "needed", "plain"]
