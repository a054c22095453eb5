package socket

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
)

func TestWatchSeesGuestsThatNeverTalkToTheHost(t *testing.T) {
	t.Parallel()
	machine, guest := newWorld(t)
	w, err := OpenWatch(machine.NS(), "lab0")
	must(t, err)
	t.Cleanup(func() { w.Close() })
	must(t, guest.NS().Do(func() error { // nobody is at these addresses
		for _, to := range []string{"10.7.0.99:9", "[fd00:7::99]:9"} {
			c, err := net.Dial("udp", to)
			if err != nil {
				return err
			}
			defer c.Close()
			c.Write([]byte("?"))
		}
		return nil
	}))
	nstest.Eventually(t, patience, func() error {
		seen := map[netip.Addr]spec.MAC{}
		for _, c := range w.Claims() {
			seen[c.Addr] = c.MAC
		}
		if seen[guest4] != guestMAC || seen[guest6] != guestMAC {
			return fmt.Errorf("seen %v, counted %+v", seen, w.link.Counters())
		}
		return nil
	})
	if w.link.Counters().Malformed > 0 {
		t.Errorf("counted %+v", w.link.Counters())
	}
}

func TestWatchEndsWithItsBridge(t *testing.T) {
	t.Parallel()
	machine, _ := newWorld(t)
	w, err := OpenWatch(machine.NS(), "lab0")
	must(t, err)
	nstest.Run(t, machine.NS(), "ip", "link", "del", "lab0")
	nstest.Eventually(t, patience, func() error {
		if w.Alive() {
			return fmt.Errorf("still watching")
		}
		return nil
	})
	must(t, w.Close())
}

// announce is an ARP message of an address.
func announce(mac spec.MAC, a netip.Addr) frame {
	b := binary.BigEndian.AppendUint64(nil, arpIPv4|1)
	b = append(append(b, mac[:]...), a.AsSlice()...)
	return frame{etherType: unix.ETH_P_ARP, mac: mac, body: append(b, make([]byte, 10)...)}
}

func TestWatchForgetsTheOldestWhenAGuestMakesClaimsUp(t *testing.T) {
	t.Parallel()
	w := &Watch{link: &Link{}, seen: map[claim]time.Time{}}
	a := netip.MustParseAddr("10.0.0.0")
	for range 3 * mostClaims {
		a = a.Next()
		w.hear(announce(guestMAC, a), true)
	}
	w.hear(announce(guestMAC, guest4), true)
	list := w.Claims()
	if len(list) > mostClaims || list[0].Addr != guest4 {
		t.Errorf("%d claims, the latest %v", len(list), list[0])
	}
}

func TestClaimsAreReadFromSendersThatHaveTheAddress(t *testing.T) {
	t.Parallel()
	nd := func(kind byte, from, target string) frame {
		b := make([]byte, sizeIPv6, sizeIPv6+sizeNeighbour)
		b[0], b[6], b[7] = 0x60, unix.IPPROTO_ICMPV6, neighbour
		copy(b[8:], netip.MustParseAddr(from).AsSlice())
		b = append(b, kind, 0, 0, 0, 0, 0, 0, 0)
		return frame{etherType: unix.ETH_P_IPV6, mac: guestMAC, body: append(b, netip.MustParseAddr(target).AsSlice()...)}
	}
	forwarded := nd(icmpNeighbourAdvertise, "fd00::1", "fd00::7")
	forwarded.body[7] = 64
	tagged := announce(guestMAC, guest4)
	tagged.status, tagged.vlan = unix.TP_STATUS_VLAN_VALID, 5
	for name, c := range map[string]struct {
		f    frame
		addr string // "" = none
	}{
		"ARP":                              {announce(guestMAC, guest4), "10.7.0.2"},
		"ARP probe":                        {announce(guestMAC, netip.IPv4Unspecified()), ""},
		"ARP of another VLAN":              {tagged, ""},
		"solicitation":                     {nd(icmpNeighbourSolicit, "fd00::2", "fd00::9"), "fd00::2"},
		"duplicate address detection":      {nd(icmpNeighbourSolicit, "::", "fd00::9"), ""},
		"advertisement":                    {nd(icmpNeighbourAdvertise, "fe80::2", "fd00::2"), "fd00::2"},
		"advertisement from off the link":  {forwarded, ""},
		"advertisement of a group":         {nd(icmpNeighbourAdvertise, "fe80::2", "ff02::1"), ""},
		"router advertisement":             {nd(134, "fe80::2", "fd00::2"), ""},
		"half a message":                   {frame{etherType: unix.ETH_P_ARP, mac: guestMAC, body: make([]byte, 27)}, ""},
		"a broadcast address for a sender": {announce(broadcast, guest4), ""},
	} {
		got, ok := c.f.claim()
		if ok != (c.addr != "") || ok && (got.addr.String() != c.addr || got.mac != guestMAC) {
			t.Errorf("%s: got %v %v, want %q", name, got, ok, c.addr)
		}
	}
}

func FuzzClaim(f *testing.F) {
	f.Add(uint16(unix.ETH_P_ARP), announce(guestMAC, guest4).body)
	f.Add(uint16(unix.ETH_P_IPV6), make([]byte, 64))
	f.Fuzz(func(t *testing.T, etherType uint16, body []byte) {
		c, ok := frame{etherType: etherType, mac: guestMAC, body: body}.claim()
		if ok && (!c.addr.IsValid() || c.addr.IsUnspecified() || c.mac.IsMulticast()) {
			t.Errorf("claimed %v", c)
		}
	})
}
