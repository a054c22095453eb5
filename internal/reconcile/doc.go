// Package reconcile is the loop that keeps the host as the specs want it.
//
// What enters: wake-ups (from netlink, nftables, the store, a timer) that carry
// no data, and requests for a pass or a preview. What leaves: ops applied to the
// host, and a Report of what was done, what could not be, and what was seen.
//
// One goroutine owns the state; everybody else asks it. The loop is
// level-triggered: every pass reads the specs and the whole kernel state anew,
// so a lost event costs time, never correctness.
//
// reconcile imports plan, spec, netns, kernel and nft.
package reconcile
