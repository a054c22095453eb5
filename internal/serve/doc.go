// Package serve answers the guests of all networks: it opens sockets where the
// plan says so, and hands what comes in to the rooms of the protocols.
//
// What enters: with every pass of the loop, the plan.Services of the networks that
// run; from the sockets, packets of guests. What leaves: answers, events, leases in
// the book, and a list of what cannot be served at the moment and why.
//
// The sockets of a network are in the namespace of its gateway, the host's or a
// router's, and on the gateway's device there. The ports of its guests are those of
// its bridge, which is in the daemon's namespace always. So routers may have the
// same subnet at the same time: nothing here goes by an address alone.
//
// Telling it the same twice does nothing, and a change reaches the protocol it
// belongs to while its sockets stay open. Each network has a socket and a goroutine
// of its own, so none waits for another.
//
// serve decides nothing about addresses or names: plan worked out what to say, and
// dhcp4, dhcp6, radv, dns and tftp say it. It must not import spec's edges, manage
// or reconcile.
package serve
