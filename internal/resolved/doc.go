// Package resolved tells systemd-resolved which domains the networks of this
// host serve, so that the host itself finds guests by name: split DNS, as
// resolvectl(1) shows it on each bridge.
//
// What enters: the wanted registration of each link (Set). What leaves: method
// calls to org.freedesktop.resolve1 on the system bus, and a line of status.
//
// Level-triggered: each pass reads what systemd-resolved has, compares, and
// sends what differs. Signals of the bus only say when to look again. A host
// without D-Bus or without systemd-resolved is a host like any other: the client
// waits for it to come.
//
// resolved imports netns, and nothing else of kvmnet. It changes no link, no
// file and no setting of another link.
package resolved
