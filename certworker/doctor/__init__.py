"""The examination of a deployment: what is fine, what is wrong, and what to do. It changes nothing, and shows no secret."""

from certworker.doctor.examination import CHECKS, Examination, examine
from certworker.doctor.finding import Finding, Verdict, is_well

__all__ = ["CHECKS", "Examination", "Finding", "Verdict", "examine", "is_well"]
