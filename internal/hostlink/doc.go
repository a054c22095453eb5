// Package hostlink knows what an interface of the host has in the kernel: addresses,
// routes, rules, neighbours, groups and settings. It moves all that into a bridge, and
// back.
//
// What enters: a network namespace, and what to move where. What leaves: snapshots,
// which can be kept as JSON, and ops, which are printed as ip(8) would be told. To
// work out ops is pure; to look and to apply is dumb. What is moved is moved as the
// kernel's own bytes, so that nothing is lost that this room does not know.
//
// It knows nothing of networks of kvmnet. It imports netns and spec only.
package hostlink
