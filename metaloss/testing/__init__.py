"""Contract checks for authors of tasks and fusion networks: the verdict in one call."""

from metaloss.testing.fusion import check_fusion
from metaloss.testing.report import Point, Report
from metaloss.testing.task import check_task

__all__ = ["Point", "Report", "check_fusion", "check_task"]
