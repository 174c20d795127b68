"""Image registries: transport, authentication, and the client that has both."""
