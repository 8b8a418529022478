"""A class looked over before it begins: what would stop it in its first hour is told now."""
