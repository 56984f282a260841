"""Staying connected: one websocket loop and one REST loop for all venues; what a frame means is the venue's."""
