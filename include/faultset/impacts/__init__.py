"""What moved with an injection: found in series of any kind, with what could have hidden."""
