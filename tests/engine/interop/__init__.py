"""Images between davit and other people's engines and tools."""
