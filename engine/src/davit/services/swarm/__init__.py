"""This node as a worker of a Docker swarm; managers are SwarmKit's."""
