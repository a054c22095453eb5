// Package netns holds network namespaces as values.
//
// What enters: a name, a path, or the calling thread. What leaves: an NS that
// can be entered for the time of one function. A netlink handle, a socket or a
// child process made inside stays inside and can be used from any goroutine, so
// the rule is: enter only to open; never serve, resolve or start goroutines
// inside Do.
//
// A Directory holds namespaces by name, as ip-netns(8) does: it makes, lists,
// opens, deletes and watches them. Whose they are is not its affair.
//
// netns imports nothing of kvmnet.
package netns
