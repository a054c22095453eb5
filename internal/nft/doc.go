// Package nft holds the packet program of kvmnet, one fixed nftables table that
// is the same for any number of networks, and its maps, which are the networks.
//
// What enters: plan.Ops on Program and Element objects, and a namespace. What
// leaves: the observed Program and Elements of that namespace, a fingerprint of
// the rules as the kernel holds them, drop counters, and wake-ups when somebody
// changes the ruleset.
//
// The program is text (program.nft), loaded as a whole by nft(8) together with
// all elements, so no packet meets the one without the other. Single elements
// travel over a kept netlink connection, in microseconds.
//
// nft touches the table "inet kvmnet" and nothing else: no other table, no link,
// no sysctl. It imports netns and plan, and nothing that imports it.
package nft
