// Package verify proves the promises of networks with packets: those of their
// modes, of the routers they lie behind, and of stances, peers, policies and
// forwards.
//
// What enters: what is in force, the namespace where the networks run, a way into
// the namespaces of routers, and the interfaces by which the host reaches the
// outside. What leaves: a Check per promise, with what was expected and what was
// seen. The test hosts it plugs into the networks are gone when it returns.
//
// A packet is proof of one promise: it carries a mark of its own, and everything
// that listens (the test hosts, and one socket at the doors of the host and of each
// router) reports marks to one ledger. So promises are tried at the same time, other
// traffic is never taken for a probe, and a packet that left or arrived counts as
// seen even when nobody answers it. "Nothing left" means that three packets did not
// within 0.4 s. A test of TCP is the first segment of a connection, with the mark for
// data.
//
// A promise that this host cannot prove (no uplink, no free address, a way through
// somebody else's network, a kill switch, for which the uplink would have to go down)
// is a Check too, whose Seen begins with "not checked:" and whose OK is true: nothing
// is known to be broken.
//
// Of policies, ports that they name are tried, and one that they do not name.
//
// What the host serves is proved by asking for it as guests do, and taking nothing:
// an address that is offered is held for a minute at most. What comes from outside
// cannot be played on somebody's machine; the demo does. So forwards are tried from a
// guest of another network, or of the same one.
//
// Real guests are not disturbed: addresses are taken outside of DHCP ranges and
// only if nobody answers for them, and bridges keep their MAC and MTU. The guest that
// a forward leads to gets one marked packet, if it is there at all.
//
// To bound the work, a network is tried against the next 8 networks in order of
// names, and the next 8 isolated ones, not against all; each is so tried by 8
// others. Isolated networks without an address are not among them, because there
// is no address to send to. Of two networks at most 8 ports are tried, and of a
// network 8 forwards.
//
// verify imports testhost, netns, spec and its own verify/client. It knows nothing of
// how networks are made, nor what others made of a policy: it reads what people wrote
// and looks at packets, so that it cannot repeat the maker's mistake.
package verify
