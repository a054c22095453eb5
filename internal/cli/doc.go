// Package cli is the command line: commands, flags, tables, messages and exit
// codes.
//
// What enters: arguments, files the user names, and the daemon's answers. What
// leaves: text for people on stdout and stderr, JSON or YAML for programs, and
// an exit code. Files are read here and parsed by the daemon, so that every
// client gets the same messages.
//
// cli imports api and spec, and for single commands xpath and libvirthost, which reads
// the libvirt to import from; it must not import the rooms behind the daemon.
// What needs them (daemon, demo) comes in through Options.
package cli
