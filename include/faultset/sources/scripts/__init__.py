"""How hook scripts are walked: a library of them, what is kept on the way, control flow, and single commands."""
