"""davit beside Moby: the same work, through the same client, in one run.

``make bench`` runs it. Nothing here is a test: times depend on the machine, so only the ratios
taken in one run say something, and `docs/performance.md` keeps them.
"""
