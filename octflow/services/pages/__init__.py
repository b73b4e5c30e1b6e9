"""Progress pages for people: static HTML of a project, its slices and its mosaics."""

from octflow.services.pages.site import write_pages

__all__ = ["write_pages"]
