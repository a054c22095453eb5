// Package conntrack is the shell over the kernel's connection tracking: it lists
// the connections of one network namespace and ends those it is told to.
//
// What enters: a namespace opened by netns, and a plan.Flow to delete. What leaves:
// plan.Flows. Which connections may not go on is said by plan.
//
// A connection has no owner written on it; that our program let it begin is told
// by its label. Deleting one drops no packet by itself: the next packet is looked
// at as if it began a connection, by the rules of that moment.
//
// conntrack imports plan, netns and the netlink library, and nothing else of
// kvmnet.
package conntrack
