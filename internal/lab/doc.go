// Package lab builds a whole small world in private network namespaces, runs a
// kvmnet daemon in it, and proves with packets what modes, routers, forwards and
// policies promise: the demo.
//
//	machine ── eth0 192.0.2.2 ──── lan0 ─┬─ outside .1 (router; 198.51.100.1 behind it)
//	   │                                 └─ neighbour .3
//	   ├────── eth1 (a port of br0) ─ lan1 ─┬─ outside 203.0.113.1
//	   │                └ routers           └─ neighbour .3
//	   └── a bridge for each network, two guests on each
//
// lan1 has addresses in the segment of each router's uplink as well: the outside is
// the next hop that the router names, the neighbour another host there.
//
// A topology file is read twice: by the daemon, and here as a layout, which says what
// is promised. It knows nothing of rules and rows, only who stands behind whom.
//
// What enters: a topology file, the path of the kvmnet program, and the kind of
// guests. What leaves: progress and a table on a writer, and an error when a
// promise is broken. The host's own network is never touched, and nothing of the
// lab outlives Run unless Keep says so.
//
// lab speaks to the daemon through api only, as any user does. It imports api,
// spec, specfile, netns, testhost, qemuguest and verify/client, and must not import the rooms
// that make networks: it looks at packets, so that it cannot repeat their
// mistakes.
package lab
