"""What the routes need from the services: one Protocol for each group of routes.

The routes' modules name the Protocol they take; ``daemon.py`` passes the services in.
"""
