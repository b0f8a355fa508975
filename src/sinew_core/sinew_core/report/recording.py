"""The page of a recorded deployment: the table beside the simulation, and its motion."""

from __future__ import annotations

from sinew_core.deployment.bag_evaluation import BagEvaluation
from sinew_core.deployment.bag_table import Simulated, remarks, side_by_side
from sinew_core.graph_record import trace_of
from sinew_core.report.figures import distance_over_time, velocities_against_limits
from sinew_core.report.page import Page
from sinew_core.report.table import success_cell

_DRAWN = 20


def recording_page(simulated: Simulated, evaluation: BagEvaluation) -> str:
    """Return the page of an evaluated recording; pictures show its first episodes."""
    figures, assignment = evaluation.figures, evaluation.assignment
    page = Page(
        f"{figures['robot']}: {figures['task']}, as recorded",
        f"{figures['bag']}, {figures['recorded_s']} s, {figures['recorded_states']} joint states",
    )
    for what, part in (("In the environment", simulated.environment), ("Recorded", figures)):
        if part is not None and part.get("success_rate") is not None:
            good = float(str(part["success_rate"])) >= 0.9
            page.verdict(f"{what}: {success_cell(part)}", good=good)
    outside = int(str(figures["recorded_limit_violations"]))
    page.verdict(f"Joint states outside a limit: {outside}", good=outside == 0)
    page.section("Simulation and recording")
    header, *rows = side_by_side(simulated, evaluation)
    page.table(header, rows)
    page.bullets(remarks(evaluation))
    episodes = evaluation.record.episodes[:_DRAWN]
    if episodes:
        page.section("Motion")
        tool_xyz = assignment.robot.chain.tool_xyz
        traces = [trace_of(episode, tool_xyz) for episode in episodes]
        tolerance_m = assignment.task.judge.tolerance_m
        page.figure(
            distance_over_time(traces, tolerance_m),
            f"Distance of the {assignment.task.achieved} to its target in the first episodes.",
        )
        limits = assignment.robot.limits.velocity_rad_s
        page.figure(
            velocities_against_limits(traces, limits, assignment.robot.joint_names),
            "Recorded joint velocities against the limits that the safety filter keeps.",
        )
    return page.html()
