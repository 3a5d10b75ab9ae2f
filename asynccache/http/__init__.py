"""Caching of HTTP responses: pure rules, and the capturing, storing and replaying of what an app sends."""
