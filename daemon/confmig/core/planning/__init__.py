"""What is pending and what may run next. Pure."""
