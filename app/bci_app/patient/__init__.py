"""The patient's own window: cues and feedback, nothing else."""
