# Django finds a site's pages by importing `<app>.admin`, and a package is imported whole only if it says so
from datasets.admin import catalogue, dataset, findings, keys, people, personas, routines, system

__all__ = ["catalogue", "dataset", "findings", "keys", "people", "personas", "routines", "system"]
