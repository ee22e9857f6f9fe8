"""The `authz` command, one file per subcommand."""
