# Copyright: (c) 2026, The davit authors
# SPDX-License-Identifier: Apache-2.0
"""Options of every module that speaks to an engine."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  engine_host:
    description:
      - Where the engine listens, V(unix:///PATH) or V(tcp://ADDRESS:PORT).
      - By default the environment's E(DOCKER_HOST), then V(unix:///run/davit/davit.sock), then
        V(unix:///var/run/docker.sock), whichever is there first.
    type: str
    aliases: [docker_host]
  timeout:
    description: Seconds to wait for each answer of the engine.
    type: int
    default: 60
  tls:
    description:
      - Whether to use TLS with a V(tcp://) address.
      - By default it is used when the environment's E(DOCKER_TLS_VERIFY) is set and not empty.
    type: bool
  tls_ca:
    description:
      - Path on the host of the certificate authority that signed the engine's certificate.
      - By default V(ca.pem) in the environment's E(DOCKER_CERT_PATH), if that is set.
    type: path
  tls_certificate:
    description:
      - Path on the host of the client's certificate.
      - By default V(cert.pem) in the environment's E(DOCKER_CERT_PATH), if that is set.
    type: path
  tls_key:
    description:
      - Path on the host of the client certificate's key.
      - By default V(key.pem) in the environment's E(DOCKER_CERT_PATH), if that is set.
    type: path
  tls_verify:
    description: Whether to verify the engine's certificate.
    type: bool
    default: true
  tls_hostname:
    description: Name that the engine's certificate must have, when it is not the address.
    type: str
notes:
  - Needs nothing on the host but Python 3.8 and an engine, davit or Moby, with API 1.24 or later.
attributes:
  check_mode:
    description: Can run in check mode and says then what it would do.
    support: full
  diff_mode:
    description: Tells what changes, field by field.
    support: full
  action_group:
    description: Use C(group/davit.fleet.engine) in C(module_defaults) for the options of the engine.
    support: full
    membership:
      - davit.fleet.engine
"""
