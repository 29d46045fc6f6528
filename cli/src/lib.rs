//! The `aa` command line: arguments, settings, words on the terminal, exit codes.
