// Package kernel is the shell over rtnetlink: it observes and applies the links,
// addresses, routes, rules, limits and interface settings of one network namespace.
// Links that lead into another one are made with the Kernel of that one at hand.
//
// What enters: the Ops of plan, for a namespace opened by netns. What leaves: a
// plan.State of everything the namespace holds, ours and foreign, one error or
// nil an Op, and wake-ups without data. kernel decides nothing: what should be
// there and in which order is said by plan. Tables of nftables belong to
// package nft.
//
// What is ours is written on the objects themselves, see the constants in
// mark.go, so that no file about the kernel can go stale. A link that does not
// carry our mark is never deleted, renamed or re-marked. A namespace that we made
// for a router carries the mark on its loopback interface; there every object is
// looked at, in the daemon's own only what kvmnet may touch.
//
// kernel imports plan, spec, netns and the netlink library, and nothing else of
// kvmnet.
package kernel
