"""Everything in a data set that a training would refuse or that is to be doubted, each with its file."""

from metaloss.data.audit.audit import Audit, Split, audit
from metaloss.data.audit.fault import Fault
from metaloss.data.audit.folder import Recipe, recognise
from metaloss.data.audit.look import Look, registration_looked_at
from metaloss.data.audit.opened import open_leniently
from metaloss.data.audit.twins import find_twins, picture_bits

__all__ = [
    "Audit",
    "Fault",
    "Look",
    "Recipe",
    "Split",
    "audit",
    "find_twins",
    "open_leniently",
    "picture_bits",
    "recognise",
    "registration_looked_at",
]
