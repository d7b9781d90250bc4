"""What runs on the lab's hosts with the portal's own Python: copied to the shared folder, read by nothing else."""
