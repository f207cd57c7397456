"""What happens by itself: the scheduler and the rounds."""
