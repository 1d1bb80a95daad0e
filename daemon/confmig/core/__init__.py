"""Pure decisions: frozen values in, frozen values out; the time is an argument."""
