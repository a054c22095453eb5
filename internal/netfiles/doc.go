// Package netfiles knows the configuration files of the system's network managers:
// systemd-networkd, NetworkManager, netplan, ifupdown, the network scripts of RHEL 7,
// and kvmnet's own, where none of them has the interface.
//
// What enters: a tree of files (the root of the system, or of a test) and interfaces
// as spec has them. What leaves: changes of files, which can be shown as a diff,
// written, and taken back byte for byte.
//
//	tree, err := netfiles.Read("")                    // shell
//	manager, err := netfiles.Detect(tree, "eth0", ask) // pure from here
//	changes, err := netfiles.Bridge(tree, manager, conversion)
//	err = netfiles.Write("", changes)                 // shell
//	for _, command := range netfiles.Reload(manager, changes, ask) { … }
//
// While the machine runs, Shield before the kernel is changed keeps a manager from what
// is between, until Unshield; ShieldBack, KeepBack and UnshieldBack do so on the way back.
//
// netfiles imports spec and specfile only, runs no program, and never touches the
// kernel.
package netfiles
