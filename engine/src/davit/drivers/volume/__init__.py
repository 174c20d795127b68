"""The ``local`` volume driver."""
