"""Pure decisions: no I/O, no clock, no dice, no await."""
