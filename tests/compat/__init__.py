"""Other people's tests and tools, held against davitd and against a real dockerd.

``python -m tests.compat.docker_py --help`` runs the integration suite of docker-py; the test that
`make compat` runs is in ``test_docker_py.py``.
"""
