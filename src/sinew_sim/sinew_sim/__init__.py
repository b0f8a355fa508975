"""Simulated manipulator that speaks the topics of ros2_control."""
