"""The daemon: its inbox, its readiness, its log, and the requests it answers."""
