// Package nft holds the packet program of kvmnet, two fixed nftables tables that
// are the same for any number of networks, and their maps, which are the networks.
//
// What enters: plan.Ops on Program, Chain, Element and Redirect objects, and a
// namespace. What leaves: what is observed of these in that namespace, a
// fingerprint of the rules as the kernel holds them, counters of refused packets,
// of policies and of forwards, and wake-ups when somebody changes the ruleset.
//
// The program is text (program.nft, guard.nft). nft(8) compiles it once, in a
// namespace of its own; every namespace then gets what the kernel listed there, that
// of a router without the guards, as
// one transaction over a kept netlink connection, with all chains and elements. So
// no packet meets the one without the other. Chains that are made for one object
// are compiled the same way, a text once. Single elements need no compiling.
//
// Redirects are chains in a third table, "netdev kvmnet", which is there while there
// are any.
//
// nft touches the tables "inet kvmnet", "bridge kvmnet" and "netdev kvmnet" and
// nothing else: no other table, no link, no sysctl. It imports netns, spec and plan, and nothing
// that imports it.
package nft
