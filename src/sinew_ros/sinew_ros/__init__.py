"""What every Sinew node shares: parameters, messages, QoS profiles and the main loop."""
