// Package announce tells the neighbours on a link that an address is here now:
// by gratuitous ARP and by unsolicited neighbour advertisements. Without that a
// LAN goes on sending to where an outside address was before, for minutes.
//
// What enters: with a pass of the loop, the plan.Addrs that are new or moved. What
// leaves: frames on their links, three times, since one may be lost.
//
// What is asked for again while it is under way is told three times from then on,
// and never more than once a second. A link that is down, or an address that is
// not there yet, is waited for. An address that went meanwhile is not told any
// more: somebody else may have it.
//
// announce imports plan, socket and netns.
package announce
