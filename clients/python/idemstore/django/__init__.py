"""Middleware and a cache backend for Django, on its own database connections."""
