package nft

import (
	"fmt"
	"net/netip"
	"testing"

	"kvmnet/internal/plan"
)

func TestNSReplacingTheProgramDisturbsNoPacket(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"nat0", "nat", []string{"nat"}}, network{"iso0", "isolated", []string{"iso"}})
	outside := l.machines["outside"]
	conn, err := l.machines["nat"].dial("tcp", netip.Addr{}, outside.v4, yes)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	exchange(t, conn)

	// A flood into the isolated network: one packet that meets a program without
	// elements, or no program, would arrive.
	flood, err := outside.dial("udp", netip.Addr{}, l.machines["iso"].v4, yes)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan int)
	stop := make(chan struct{})
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				done <- n
				return
			default:
				flood.Write(fmt.Appendf(nil, "flood %d", n)) // refused by ICMP now and then
				n++
			}
		}
	}()
	for range 10 {
		l.apply(plan.Set, plan.Program{})
		exchange(t, conn)
	}
	close(stop)
	if n := <-done; n < 1000 {
		t.Errorf("only %d packets flooded", n)
	}
	flood.Close()
	iso := l.machines["iso"]
	iso.mu.Lock()
	defer iso.mu.Unlock()
	if len(iso.seen) > 0 {
		t.Errorf("%d packets reached the isolated guest while the program was replaced", len(iso.seen))
	}
}
