// Package testhost plays the other machines of a network: guests, neighbours on
// the LAN, and the outside. Each Host is a network namespace of its own with
// packet probes that ask what a person at that machine would ask: do I get an
// answer, from whom, under which address did they see me, and if not, why not.
//
// What enters: names, addresses, and the namespace and bridge to plug into.
// What leaves: Results, captured Packets and stream Reports, as plain values.
// Everything a Host started or plugged in is gone after Close, at once and not
// when the kernel gets round to it, so that a dump taken next is true.
//
// testhost serves the verify and demo commands as well as tests, so it never
// imports testing. Of kvmnet it imports netns and spec (for MAC) only.
package testhost
