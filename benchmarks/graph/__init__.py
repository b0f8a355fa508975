"""The running graph at 500 Hz: latency, loss and memory, beside their bars."""
