package socket

import (
	"fmt"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"kvmnet/internal/nstest"
)

// TestLinkCountsAFloodOfGarbage: no frame is lost without being counted, none
// reaches the handler, and what is sound gets through afterwards.
func TestLinkCountsAFloodOfGarbage(t *testing.T) {
	t.Parallel()
	const flood, burst = 10_000, 100 // no more at once than the kernel's queues hold
	machine, guest := newWorld(t)
	heard := &record{}
	l := openLink(t, machine.NS(), "lab0", heard)
	from := openLink(t, guest.NS(), "eth0", &record{})
	to, err := machine.MAC("lab0")
	must(t, err)
	sound := []frame{built(t, discover), built(t, solicit6), built(t, routers)}
	for i := range flood {
		f := garbled(sound[i%len(sound)], i/len(sound))
		inject(t, from, f.etherType, to, f.body)
		if sent := uint64(i + 1); sent%burst == 0 {
			nstest.Eventually(t, patience, func() error {
				if n := l.Counters(); n.Malformed+n.Lost < sent {
					return fmt.Errorf("sent %d, counted %+v", sent, n)
				}
				return nil
			})
		}
	}
	inject(t, from, sound[0].etherType, to, sound[0].body)
	heard.wait(t, "dhcp4", says("discover"))
	if n := l.Counters(); n.Malformed+n.Lost != flood || n.Lost > flood/10 {
		t.Errorf("counted %+v", n)
	}
}

// garbled spoils a frame in the i-th way. What is shorter than its IP header says
// does not come this far: the bridge drops it (br_multicast_rcv).
func garbled(f frame, i int) frame {
	f.body = slices.Clone(f.body)
	length := map[uint16]int{unix.ETH_P_IP: sizeIPv4 + 5, unix.ETH_P_IPV6: sizeIPv6 + 5}[f.etherType] // of UDP
	router := f.etherType == unix.ETH_P_IPV6 && f.body[6] == unix.IPPROTO_ICMPV6
	switch {
	case i%3 == 0: // the checksum is wrong
		f.body[len(f.body)-1]++
	case router && i%3 == 1: // from beyond the link
		f.body[7] = neighbour - 1
	case router: // with a code
		f.body[sizeIPv6+1] = 1
	case i%3 == 1: // longer than there is
		f.body[length] = 255
	default: // shorter than its own header
		f.body[length] = sizeUDP - 1
	}
	return f
}
