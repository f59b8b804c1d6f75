"""What weighting does not model, said where it is found out; the pass adds the place in the caller's text. Pure."""

from __future__ import annotations


class Unsupported(Exception):
    """`what` happened and what to write instead; `message` is the part of the tree that it is about, if any."""

    def __init__(self, what: str, hint: str, message: object = None) -> None:
        super().__init__(what)
        self.what, self.hint, self.message = what, hint, message
