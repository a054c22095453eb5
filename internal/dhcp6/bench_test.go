package dhcp6

import (
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"

	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// instant is a table whose changes are told to be on disk at once.
type instant struct{ table }

func (i instant) Bind(c lease.Client, a netip.Addr, life spec.Seconds, done func(error)) (lease.Lease, error) {
	l, err := i.table.Bind(c, a, life, nil)
	if err == nil {
		done(nil)
	}
	return l, err
}

func (i instant) Release(c lease.Client, a netip.Addr, done func(error)) bool {
	ok := i.table.Release(c, a, nil)
	if ok {
		done(nil)
	}
	return ok
}

func (i instant) Decline(c lease.Client, a netip.Addr, quarantine time.Duration, done func(error)) {
	i.table.Decline(c, a, quarantine, nil)
	done(nil)
}

// BenchmarkExchange is SOLICIT, ADVERTISE, REQUEST, REPLY of a new guest each
// time, without sockets and without the wait for the disk.
func BenchmarkExchange(b *testing.B) {
	book, err := lease.Open(b.TempDir(), lease.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = book.Close() })
	d := sample()
	d.PerPort = 0
	d.Scopes[0].Ranges = []plan.Range{{From: addr("fd00:1::1:0"), To: addr("fd00:1::ff:ffff")}}
	l := &one{}
	s := newServer(Options{Link: l, DUID: serverDUID, Source: func() netip.Addr { return linkLocal }}, instant{book.Table("lab")})
	s.Set(d)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		g := guest{spec.MAC{2, 0, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}, duid("bench" + string(rune(i)))}
		s.Handle(g.packet(doSolicit, iaNA(1), oro(23, 24)))
		m, err := dhcpv6.MessageFromBytes(l.payload)
		if err != nil {
			b.Fatal(err)
		}
		s.Handle(g.packet(doRequest, toServer, iaNA(1, given(b, m, 1)), oro(23, 24)))
	}
	if n := s.Counters(); n.Replied != n.Request || n.Replied == 0 {
		b.Fatalf("counted %+v", n)
	}
}
