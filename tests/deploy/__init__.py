"""What deploy/ has, judged by the tools that will read it."""
