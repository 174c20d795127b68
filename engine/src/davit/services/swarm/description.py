"""What the managers are told of this node: they place tasks by it."""

from __future__ import annotations

from collections.abc import Sequence

from davit import __version__
from davit._pb import swarmkit_pb2 as pb
from davit.drivers.swarmkit import pki
from davit.model import log_options
from davit.model.system import Host

# No overlay: tasks on overlay networks are placed elsewhere.
_NETWORKS = ("bridge", "host", "macvlan", "null")


def describe(host: Host, labels: Sequence[str], credentials: pki.Credentials) -> pb.NodeDescription:
    """labels: of the engine, ``key=value``. Managers see by the certificate's issuer how far the
    replacement of an authority has come."""
    plugins = [
        pb.PluginDescription(type=kind, name=name)
        for kind, names in (
            ("Log", sorted(log_options.DRIVERS)),
            ("Network", _NETWORKS),
            ("Volume", ("local",)),
        )
        for name in names
    ]
    issuers = pki.issuers(credentials.chain, credentials.roots)
    tls = pb.NodeTLSInfo(trust_root=credentials.roots)
    if issuers:
        tls.cert_issuer_subject = issuers[0].subject
        tls.cert_issuer_public_key = issuers[0].public_key
    return pb.NodeDescription(
        hostname=host.name,
        platform=pb.Platform(architecture=host.architecture, os="linux"),
        resources=pb.Resources(nano_cpus=host.cpus * 10**9, memory_bytes=host.memory),
        engine=pb.EngineDescription(
            engine_version=f"davit-{__version__}",
            labels=dict(label.partition("=")[::2] for label in labels),
            plugins=plugins,
        ),
        tls_info=tls,
    )
