"""The bill: providers' exports in one form, shared out to students and labs, beside what was estimated and metered."""
