// Package verify proves the promises of networks with packets.
//
// What enters: the networks that run, the namespace they run in, and the
// interfaces by which it reaches the outside. What leaves: a Check per promise,
// with what was expected and what was seen. The test hosts it plugs into the
// networks are gone when it returns.
//
// A packet is proof of one promise: it carries a mark of its own, and everything
// that listens (the test hosts, and one socket at the doors of the host) reports
// marks to one ledger. So promises are tried at the same time, other traffic is
// never taken for a probe, and a packet that left or arrived counts as seen even
// when nobody answers it. "Nothing left" means that three packets did not within
// 0.4 s.
//
// A promise that this host cannot prove (no uplink, no free address) is a Check
// too, whose Seen begins with "not checked:" and whose OK is true: nothing is
// known to be broken.
//
// What the host serves is proved by asking for it as guests do, and taking nothing:
// an address that is offered is held for a minute at most. What comes from outside
// cannot be played on somebody's machine; the demo does.
//
// Real guests are not disturbed: addresses are taken outside of DHCP ranges and
// only if nobody answers for them, and bridges keep their MAC and MTU.
//
// To bound the work, a network is tried against the next 8 networks in order of
// names, and the next 8 isolated ones, not against all; each is so tried by 8
// others. Isolated networks without an address are not among them, because there
// is no address to send to.
//
// verify imports testhost, netns, spec and its own verify/client. It knows nothing of how networks are
// made: it looks at packets only, so that it cannot repeat the maker's mistake.
package verify
