"""Recorded motion: rosbag2 bags read into arrays, and written so that nothing recorded is lost."""
