package dhcp4

import (
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

// recorded are messages as clients lay them out, by the name of their file.
func recorded(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*.hex")
	if err != nil || len(files) == 0 {
		t.Fatal("no testdata", err)
	}
	list := map[string][]byte{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, digits, _ := strings.Cut(string(text), "\n") // the first line says what it is
		b, err := hex.DecodeString(strings.Join(strings.Fields(digits), ""))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		list[strings.TrimSuffix(filepath.Base(file), ".hex")] = b
	}
	return list
}

// full is a configuration with a bit of everything.
func full() *plan.DHCP {
	d := second(lab(reserve(
		plan.Reservation{Name: "five", MAC: guest(5), Addr: addr("192.168.100.50")},
		plan.Reservation{Name: "far", ByName: true, Addr: addr("192.168.100.51"), Options: []plan.Option{{Code: 42, Data: "\x01\x02\x03\x04"}}},
	), func(s *plan.Scope) {
		s.Relays = []netip.Addr{addr("192.168.100.7")}
		s.Boot = &plan.Boot{Server: addr(gateway), File: "default", Files: map[string]string{"http-x64": "http://192.168.100.1/x", "ipxe": strings.Repeat("y", 200)}}
		s.Options = append(s.Options, plan.Option{Code: 121, Data: strings.Repeat("z", 300)})
	}))
	d.Scopes[1].Relays = d.Scopes[0].Relays
	d.Rate = 0
	return d
}

// TestRealClients: what clients are known to send is understood.
func TestRealClients(t *testing.T) {
	t.Parallel()
	wants := map[string]string{
		"dhclient-discover": "offer 192.168.100.10", "dhclient-request": "ack 192.168.100.10", "dhclient-renew": "ack 192.168.100.10", "dhclient-decline": "silence",
		"udhcpc-discover": "offer 192.168.100.10", "udhcpc-request": "ack 192.168.100.10", "udhcpc-release": "silence",
		"networkd-discover": "ack 192.168.100.10", "networkd-reboot": "ack 192.168.100.15",
		"dhcpcd-discover": "ack 192.168.100.10", "dhcpcd-inform": "ack 0.0.0.0",
		"windows-discover": "offer 192.168.100.10", "windows-request": "ack 192.168.100.10", "windows-vista": "offer 192.168.100.10",
		"pxe-bios": "offer 192.168.100.10", "pxe-uefi": "offer 192.168.100.10", "http-uefi": "offer 192.168.100.10", "ipxe-discover": "offer 192.168.100.10",
		"kernel-discover": "offer 192.168.100.10", "kernel-request": "ack 192.168.100.10", "kernel-bootp": "silence",
		"relayed-discover": "offer 192.168.200.10",
	}
	for name, payload := range recorded(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := dhcpv4.FromBytes(payload)
			if err != nil {
				t.Fatal(err)
			}
			world(t, full(), func(r *rig) {
				r.want(name, r.exchange(m), wants[name])
				if c := r.server.Counters(); c.Malformed != 0 || (c.BOOTP != 0) != (name == "kernel-bootp") {
					t.Errorf("counters %+v", c)
				}
			})
		})
	}
}

func TestGarbageIsCountedAndNothingElse(t *testing.T) {
	t.Parallel()
	good := msg(discover, guest(1)).ToBytes()
	change := func(at int, v byte) []byte { b := append([]byte{}, good...); b[at] = v; return b }
	world(t, lab(), func(r *rig) {
		for _, b := range [][]byte{
			nil, good[:10], change(0, 2), change(0, 0), change(headerSize+1, 200), // malformed
			change(1, 6), change(2, 8), change(2, 255), change(28, 1), // not Ethernet
			good[:240], change(236, 0), change(240, 43), // BOOTP
		} {
			r.server.Handle(socket.Packet{MAC: guest(1), To: netip.AddrPortFrom(everybody, 67), Payload: b})
		}
		if c := r.server.Counters(); c.Malformed != 5 || c.NotEthernet != 4 || c.BOOTP != 3 || c.Received != 12 {
			t.Errorf("counters %+v", c)
		}
		if len(r.take()) != 0 || len(r.warnings("")) != 0 || len(r.table.Leases()) != 0 {
			t.Errorf("said %q", r.warnings(""))
		}
	})
}

// atOnce is a table that waits for no disk, so that an answer belongs to what was
// just asked.
type atOnce struct{ table }

func (a atOnce) Bind(c lease.Client, addr netip.Addr, life spec.Seconds, done func(error)) (lease.Lease, error) {
	l, err := a.table.Bind(c, addr, life, nil)
	if err == nil {
		done(nil)
	}
	return l, err
}

// origin is whom a message comes from: the relay agent that it names, so that the
// server trusts it, or nobody.
func origin(payload []byte) netip.AddrPort {
	from := netip.IPv4Unspecified()
	if len(payload) >= 28 {
		from = netip.AddrFrom4([4]byte(payload[24:]))
	}
	return netip.AddrPortFrom(from, 68)
}

// FuzzHandle: whatever arrives, the server lives, and what it sends is well
// formed and fits. Each message meets a book with what the one before left.
func FuzzHandle(f *testing.F) {
	for _, b := range recorded(f) {
		f.Add([]byte{}, b)
	}
	all := messages(f)
	for _, c := range all {
		f.Add(all[c.client+"-request-selecting"].payload, c.payload)
	}
	r := newRig(f)
	f.Cleanup(r.close)
	r.server.table = atOnce{r.table}
	d := full()
	d.Scopes = append(d.Scopes, captureNet().Scopes...)
	r.server.Set(d)
	f.Fuzz(func(t *testing.T, before, payload []byte) {
		for _, b := range [][]byte{before, payload} {
			r.server.Handle(socket.Packet{MAC: guest(1), From: origin(b), To: netip.AddrPortFrom(everybody, 67), Payload: b})
		}
		if sent := r.wellFormed(t); sent > 0 {
			r.book.Drop("lab", nil)
		}
	})
}

// wellFormed checks what was sent, and forgets it.
func (r *rig) wellFormed(t *testing.T) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.sent {
		if n := len(p.Payload); n < minSize || n > mostMTU-ipUDP {
			t.Errorf("%d bytes", n)
		}
		m, err := dhcpv4.FromBytes(p.Payload)
		if err != nil {
			t.Errorf("%x: %v", p.Payload, err)
		} else if k := kind(m.Options[optMessageType][0]); k != offer && k != ack && k != nak {
			t.Errorf("sent a message of type %d", k)
		}
	}
	n := len(r.sent)
	r.sent, r.probed, r.events = nil, nil, nil
	return n
}
