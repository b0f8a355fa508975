"""Training over the graph: an environment, and a pool with one worker, that are a ROS graph."""
