"""The safety filter against adversarial drives and wishes, beside the equations of its peers."""
