// Package resolvedtest is test support: a private D-Bus and a real
// systemd-resolved for a test host, on a machine that has neither an init nor a
// systemd-resolved of its own.
//
// What enters: a testing.TB and a test host. What leaves: the address of the bus,
// resolvectl on that host, and a systemd-resolved that can be killed and started
// again. All of it ends with the test.
//
// The daemon runs in the network namespace of the host and in a mount namespace
// of its own, where /run, /etc/resolv.conf and /etc/passwd are files of the test.
//
// resolvedtest imports testing, so nothing that ships in the binary imports it.
// Of kvmnet it imports nstest and testhost only.
package resolvedtest
