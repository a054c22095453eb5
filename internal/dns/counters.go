package dns

import "sync/atomic"

// Counters are what a server has counted since it began.
type Counters struct {
	Queries   uint64 // datagrams and messages that came
	Own       uint64 // answered from what the network knows itself
	Cached    uint64 // answered from the cache
	Forwarded uint64 // questions sent to upstream servers
	Joined    uint64 // queries that waited for a question somebody else had asked
	Denied    uint64 // dropped: from whom we do not serve, or by another interface
	Limited   uint64 // dropped: above the rate of a guest
	Malformed uint64 // dropped, or answered FORMERR
	Failed    uint64 // answered SERVFAIL
	Full      uint64 // of these: too many questions were waiting
	Loops     uint64 // questions of ours that came back to us
	Refused   uint64 // TCP connections closed because there were too many
}

type tally struct {
	queries, own, cached, forwarded, joined, denied, limited, malformed, failed, full, loops, refused atomic.Uint64
}

// Counters returns what was counted so far.
func (s *Server) Counters() Counters {
	t := &s.tally
	return Counters{
		Queries: t.queries.Load(), Own: t.own.Load(), Cached: t.cached.Load(), Forwarded: t.forwarded.Load(), Joined: t.joined.Load(),
		Denied: t.denied.Load(), Limited: t.limited.Load(), Malformed: t.malformed.Load(),
		Failed: t.failed.Load(), Full: t.full.Load(), Loops: t.loops.Load(), Refused: t.refused.Load(),
	}
}
