"""Robot learning for manipulators: everything that needs no ROS."""
