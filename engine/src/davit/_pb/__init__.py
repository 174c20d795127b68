"""Generated from the .proto files by scripts/proto."""
