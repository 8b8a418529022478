"""Specialised models side by side, and controllers that plan over them and route to them."""
