"""Tasks: what is asked of the arm, how it is rewarded, and when it has succeeded."""
