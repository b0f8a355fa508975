"""Which parameter classes each node declares, by prefix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sinew_core.algorithms.parameters import PARAMETERS
from sinew_core.deployment.bag_parameters import BagEvaluationParameters
from sinew_core.parameters import Parameters
from sinew_core.rates import Rates
from sinew_core.safety.parameters import SafetyParameters
from sinew_core.safety.watchdogs import SupervisorParameters
from sinew_core.sysid.excitation.parameters import ExcitationParameters
from sinew_core.sysid.parameters import GapParameters, SystemIdParameters
from sinew_core.tasks import TASKS
from sinew_core.tasks.reach import ReachParameters
from sinew_core.training.config import TrainConfig
from sinew_policy.deployment_parameters import DeploymentParameters
from sinew_policy.parameters import PolicyParameters
from sinew_safety.parameters import ReplayParameters, SafetyFilterParameters
from sinew_sim.emulation.parameters import ArmParameters
from sinew_sim.parameters import SimDriverParameters
from sinew_sysid.excite_parameters import ExciteParameters
from sinew_sysid.gap_monitor_parameters import GapMonitorParameters
from sinew_sysid.parameters import RecordParameters
from sinew_trainer.evaluator_parameters import EvaluatorParameters
from sinew_trainer.graph_parameters import GraphTrainParameters

NODES: dict[str, dict[str, type[Parameters]]] = {
    "sim_driver": {"": SimDriverParameters, "task": ReachParameters, "arm": ArmParameters},
    "safety_filter": {
        "": SafetyFilterParameters,
        "watchdog": SupervisorParameters,
        "safety": SafetyParameters,
    },
    "replay": {"": ReplayParameters},
    "record": {"": RecordParameters},
    "policy": {"": PolicyParameters},
    "deployment": {"": DeploymentParameters},
    "system_id": {"": SystemIdParameters},
    "gap": {"": GapParameters},
    "gap_monitor": {"": GapMonitorParameters},
    "evaluator": {"": EvaluatorParameters},
    "bag_evaluator": {"": BagEvaluationParameters},
    "graph_trainer": {"": GraphTrainParameters},
    "excite": {
        "": ExciteParameters,
        "excitation": ExcitationParameters,
        "safety": SafetyParameters,
    },
    "trainer": {
        "": TrainConfig,
        **PARAMETERS,
        **{name: kind.parameters_class for name, kind in TASKS.items()},
        "rates": Rates,
        "safety": SafetyParameters,
    },
}


def by_class(node: str, values: Mapping[str, object]) -> Iterator[tuple[str, dict[str, object]]]:
    """Split a node's parameters, nested or dotted, into those of each prefix."""
    sections: dict[str, dict[str, object]] = {prefix: {} for prefix in NODES[node]}
    for name, value in values.items():
        prefix, _, rest = name.rpartition(".")
        if isinstance(value, Mapping):
            sections.setdefault(name, {}).update(value)
        else:
            sections.setdefault(prefix, {})[rest] = value
    yield from sections.items()
