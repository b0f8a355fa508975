"""Launch files, parameter files, and a launcher for machines without launch_ros."""
