"""The process and its surroundings: signals, timer, file events, terminal, control socket."""
