"""What the fragile module asks."""

error = None
