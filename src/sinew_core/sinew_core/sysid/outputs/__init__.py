"""What an identification leaves behind: files for simulation and training, and its report.

| file | for |
|---|---|
| `sim_params.yaml` | the driver, the environments and the gap: the identified arm |
| `robot.urdf` | the description that the identified values belong to, for `urdf:=` |
| `randomization.yaml` | training: correlated ranges, see `ranges` |
| `residual_band.yaml` | the gap monitor: how far the model may be off |
| `report.json` | programs, see `summary` |
| `report.html` | people |
"""

from sinew_core.sysid.outputs.folder import check_output, write_folder
from sinew_core.sysid.outputs.write import gap_files, identification_files

__all__ = ["check_output", "gap_files", "identification_files", "write_folder"]
