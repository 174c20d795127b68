"""``python -m davit`` is ``davitd``."""

from davit.cli import main

raise SystemExit(main())
