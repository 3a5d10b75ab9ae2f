"""A package with an application factory, whose pages were decorated when they were imported."""
