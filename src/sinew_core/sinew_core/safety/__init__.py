"""The safety filter: keeps an arm able to stop inside its limits, whatever a policy asks for.

| module | what it holds |
|---|---|
| `parameters` | `SafetyParameters`: what is assumed about drive and measurements |
| `equations` | the equations and their derivation; scalar, the only source |
| `constants` | limits + assumptions + period -> the constants of the equations |
| `filter` | `VelocityFilter`: one arm, plain Python; what the safety node runs |
| `certified` | all limits by certified braking, with the proof: `CertifiedVelocityFilter` |
| `jerk`, `brake_plan` | the braking law, and where a manoeuvre leads |
| `certified_equations`, `certified_positions`, `certified_constants` | what each joint may do |
| `hull`, `pair_memory`, `certificate`, `watched` | the proofs that a whole arm stays clear |
| `certified_twin`, `certified_cycle` | the certified filters for many arms |
| `effort_filter` | `EffortFilter`: the same for efforts, best effort |
| `effort_equations`, `closest_effort`, `effort_cycle` | its equations, choice of an effort, cycle |
| `make` | the filter of an action mode |
| `twin` | `BatchVelocityFilter`: many arms, compiled by numba from the same source; training |
| `effort_twin` | `BatchEffortFilter`, in the same way |
| `supervisor` | the state machine of the node: arming, watchdogs, braking, latch |
| `command_mode`, `integrating`, `supervised_mode` | what the commands of a mode mean to it |
| `whereabouts` | whether an arm that is held was moved away, or only seems to be |
| `gate`, `senders` | which commands pass, and who sends them |
| `latch`, `realtime` | the latch on disk; what real time adds to the assumptions |
| `scaling` | speed scaling |
| `record`, `recording`, `replay` | what each output was made of, and making it again |

A safe command passes bit-identical, an unsafe one is changed as little as the limits allow. The
filter is not a safety-rated layer in the sense of ISO 10218.

The guarantee for velocities and positions, under the assumptions of `SafetyParameters`: for any
desired command, any loss of measurements, and any loss of commands that the driver answers by
braking after the declared dead time, every joint stays within position (less the margin), velocity,
acceleration and jerk limits, and the arm off itself, the floor and forbidden boxes and inside its
workspace, as far as these are turned on. Velocities and accelerations are those of the commands and
of period averages; what a drive does within a period is its own. Efforts are filtered as well as
the model and the measurements allow.
"""
