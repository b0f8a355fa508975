"""Reading bags: how fast beside rosbags, and what damaged bags do to it."""
