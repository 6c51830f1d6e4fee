"""What of commands, outputs and descriptions may be shown: an allow-list of words."""
