"""Notification: whom is told what, once for each thing, and that it arrives."""
