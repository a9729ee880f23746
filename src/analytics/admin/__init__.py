"""What the owner can see and change, apart from the figures."""
