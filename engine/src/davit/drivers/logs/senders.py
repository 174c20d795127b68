"""Which connection a container's log driver asks for, and what it says of the container."""

from __future__ import annotations

import socket

from davit.drivers.logs.journal import JournalSender
from davit.drivers.logs.syslog import SyslogSender
from davit.model import ids, log_options, syslog
from davit.model.container import Container


def sender(container: Container) -> JournalSender | SyslogSender:
    """Return it unconnected; container: one whose driver sends its lines to a server."""
    log = container.host_config.log_config
    tag = log_options.tag(container, socket.gethostname())
    if log.type == "syslog":
        return SyslogSender(syslog.parse(log.config), tag=tag)
    return JournalSender(
        {
            **log_options.attributes(container),
            # The names are those of Docker's journald driver.
            "CONTAINER_ID": ids.short(container.id),
            "CONTAINER_ID_FULL": container.id,
            "CONTAINER_NAME": container.name,
            "CONTAINER_TAG": tag,
            "IMAGE_NAME": container.config.image,
            "SYSLOG_IDENTIFIER": tag,
        }
    )
