"""Decide whether a sample is fit: pure rules, by code and severity."""

from vcgen.checks.checker import check
from vcgen.checks.codes import CODES, Problem

__all__ = ["CODES", "Problem", "check"]
