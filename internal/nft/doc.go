// Package nft holds the packet program of kvmnet, two fixed nftables tables that
// are the same for any number of networks, and their maps, which are the networks.
//
// What enters: plan.Ops on Program, Chain and Element objects, and a namespace.
// What leaves: the observed Program, Chains and Elements of that namespace, a
// fingerprint of the rules as the kernel holds them, counters of refused packets,
// of policies and of forwards, and wake-ups when somebody changes the ruleset.
//
// The program is text (program.nft, guard.nft). nft(8) compiles it once, in a
// namespace of its own; every namespace then gets what the kernel listed there, as
// one transaction over a kept netlink connection, with all chains and elements. So
// no packet meets the one without the other. Chains that are made for one object
// are compiled the same way, a text once. Single elements need no compiling.
//
// nft touches the tables "inet kvmnet" and "bridge kvmnet" and nothing else: no
// other table, no link, no sysctl. It imports netns, spec and plan, and nothing
// that imports it.
package nft
