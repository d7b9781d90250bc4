"""The loops that move workloads: images, submission, watching, saving."""
