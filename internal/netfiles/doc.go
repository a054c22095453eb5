// Package netfiles knows the configuration files of the system's network managers:
// systemd-networkd, NetworkManager, netplan, ifupdown, the network scripts of RHEL 7,
// and kvmnet's own, where none of them has the interface.
//
// What enters: a tree of files (the root of the system, or of a test) and interfaces
// as spec has them. What leaves: changes of files, which can be shown as a diff,
// written, and taken back byte for byte.
//
// To work out changes is pure over what was read. netfiles imports spec and specfile
// only, runs no program but to tell a manager to read its files again, and never
// touches the kernel.
package netfiles
