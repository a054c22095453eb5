package radv

import (
	"testing"
	"time"

	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

type nowhere struct{}

func (nowhere) Send(socket.Packet) error { return nil }

// BenchmarkSolicit is one unicast answer, to guests that stay within the limits.
func BenchmarkSolicit(b *testing.B) {
	s := New(Options{Link: nowhere{}})
	defer s.Close()
	s.Set(sample(), bridge, linkLocal)
	p := solicitation(guest, sourceOption...)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p.MAC = spec.MAC{0x52, 0x54, 0, byte(i >> 16), byte(i >> 8), byte(i)}
		s.unicasts.began = time.Time{}
		s.Solicit(p)
	}
}
