"""Check samples by pure rules; every problem has a code and a severity."""

from vcgen.checks.checker import check
from vcgen.checks.codes import CODES, Problem

__all__ = ["CODES", "Problem", "check"]
