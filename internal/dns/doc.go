// Package dns answers the DNS queries of one network: it is authoritative for
// the network's domain and reverse zones and asks others for the rest.
//
// What enters: a plan.DNS, the dynamic names of the leases, the host's resolvers
// and queries. What leaves: answers, and queries to the upstream servers.
//
// A query takes one of three ways. The question of a datagram is read by hand
// and looked up among packed answers, which costs no allocation (query.go,
// shelf.go). A question that is new is decided by zone.answer, which is pure
// (answer.go), and its answer is packed and kept. What is not ours becomes a
// flight: one exchange with the upstream servers for all who ask the same
// (flight.go, exchange.go).
//
// The server listens in the namespace of the network's gateway. Where that is a
// router's, resolvers that people wrote down are asked from there, and those of the
// host from the host's (home.go). Another network that shares its names with this
// one is asked at its own server, as the host asks.
//
// dns imports spec, plan, socket and netns; it knows leases only as Names.
package dns
