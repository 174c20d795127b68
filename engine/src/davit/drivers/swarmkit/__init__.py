"""What a worker needs to speak with SwarmKit's managers: certificates, and calls over gRPC."""
