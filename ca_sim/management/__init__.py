"""What whoever runs the authority can see and do."""
