package dhcpclient

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

const got = "192.0.2.9/24 via 192.0.2.1"

func TestAnUplinkGetsKeepsAndGivesBackAnAddress(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		r.has("")
		for range 3 { // each pass tells the same
			r.Set([]plan.Acquire{uplink})
		}
		time.Sleep(time.Second)
		r.expect(1, "DISCOVER", "REQUEST")
		r.has(got)
		time.Sleep(10 * time.Hour)
		if r.has(got); len(r.heard) != 20 {
			t.Errorf("%d renewals in ten hours: %q", len(r.heard), r.heard)
		}
		r.heard = nil
		r.Farewell(nil)
		r.expect(1, "RELEASE")
		r.has("")
		r.Set(nil)
		r.expect(0)
		if left, _ := os.ReadDir(r.dir); len(left) > 0 {
			t.Errorf("left on disk: %v", left)
		}
	})
}

func TestANewDaemonHasTheAddressAtOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		r.Set([]plan.Acquire{uplink})
		time.Sleep(time.Second)
		r.expect(1, "DISCOVER", "REQUEST")
		r.Clients.Close()
		r.expect(0)
		r.start()
		r.has(got)
		r.Set([]plan.Acquire{uplink})
		r.has(got)
		time.Sleep(time.Second)
		r.expect(0, "REQUEST")
		r.has(got)
	})
}

func TestALeaseThatRanOutWhileNoDaemonRanIsNone(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		r.Set([]plan.Acquire{uplink})
		time.Sleep(time.Second)
		r.Clients.Close()
		time.Sleep(2 * time.Hour)
		r.start()
		r.has("")
		r.mu.Lock()
		r.heard, r.changed = nil, 0
		r.mu.Unlock()
		r.Set([]plan.Acquire{uplink})
		time.Sleep(time.Second)
		r.expect(2, "DISCOVER", "REQUEST") // gone, and back
		r.has(got)
	})
}

func TestALeaseOfAnUplinkThatWentMeanwhileIsForgotten(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		r.Set([]plan.Acquire{uplink})
		time.Sleep(time.Second)
		r.Clients.Close()
		r.start()
		r.Set(nil)
		r.has("")
		if left, _ := os.ReadDir(r.dir); len(left) > 0 {
			t.Errorf("left on disk: %v", left)
		}
	})
}

func TestAnotherMACIsAnotherClient(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		r.Set([]plan.Acquire{uplink})
		time.Sleep(time.Second)
		other := uplink
		other.MAC = spec.MAC{0x52, 0x54, 0, 0, 0, 2}
		r.Set([]plan.Acquire{other})
		time.Sleep(time.Second)
		r.expect(3, "DISCOVER", "REQUEST", "RELEASE", "DISCOVER", "REQUEST")
		r.has(got)
	})
}

func TestARefusedLeaseGoesAndAnotherOneComes(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		r.Set([]plan.Acquire{uplink})
		time.Sleep(time.Second)
		r.set(&r.refuse, true)
		time.Sleep(31 * time.Minute)
		r.has("")
		if p := r.Problems()["r1/uplink"]; !strings.Contains(p, "refuses") {
			t.Errorf("problem %q", p)
		}
		r.mu.Lock()
		r.refuse, r.give = false, r.give.Next()
		r.mu.Unlock()
		time.Sleep(2 * time.Minute)
		r.has("192.0.2.10/24 via 192.0.2.1")
		if p := r.Problems(); len(p) > 0 {
			t.Errorf("problems %q", p)
		}
	})
}

func TestAnUplinkThatComesLateOrGoesRecovers(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		r.set(&r.missing, true)
		r.Set([]plan.Acquire{uplink})
		time.Sleep(time.Hour)
		r.expect(0)
		r.set(&r.missing, false)
		r.Set([]plan.Acquire{uplink})
		time.Sleep(time.Second)
		r.expect(1, "DISCOVER", "REQUEST")
		r.set(&r.alive, false) // made anew
		r.Set([]plan.Acquire{uplink})
		time.Sleep(time.Second)
		r.expect(0, "REQUEST")
		r.has(got)
	})
}

func TestACarrierThatComesBackIsNoticed(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		r.set(&r.down, true)
		r.Set([]plan.Acquire{uplink})
		time.Sleep(time.Hour)
		if p := r.Problems()["r1/uplink"]; !strings.Contains(p, "no carrier") {
			t.Errorf("problem %q", p)
		}
		r.set(&r.down, false)
		time.Sleep(lookPause + time.Second)
		r.has(got)
		r.set(&r.down, true)
		time.Sleep(2 * time.Hour) // nobody can renew it
		r.has("")
		r.set(&r.down, false)
		time.Sleep(lookPause + time.Second)
		r.has(got)
	})
}

func TestDamagedFilesAreNoLeases(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		for name, text := range map[string]string{"r1@uplink.json": `{"mac":"52:54:00:00:00:01","address":"192.0.2.9/24"}`, "r2@wan.json": "{", "new-17": "", "r3@wan.json": `{"address":"224.0.0.1/24","server":"192.0.2.1"}`} {
			if err := os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r.start()
		r.has("")
		if n := len(r.Leases()); n != 0 {
			t.Errorf("%d leases", n)
		}
		if _, err := os.Stat(filepath.Join(r.dir, "new-17")); err == nil {
			t.Error("a write that did not come to its end is still there")
		}
		r.Set([]plan.Acquire{uplink})
		time.Sleep(time.Second)
		r.has(got)
	})
}

func TestLeasesAreLoggedForPeople(t *testing.T) {
	t.Parallel()
	var none *Lease
	l := Lease{Address: netip.MustParsePrefix("192.0.2.9/24"), Server: netip.MustParseAddr("192.0.2.1")}
	for want, l := range map[string]*Lease{
		"none":                        none,
		"192.0.2.9/24 from 192.0.2.1": &l,
		"192.0.2.9/24 via 192.0.2.254 from 192.0.2.1 until 2030-01-02T03:04:05Z": {Address: l.Address, Server: l.Server, Gateway: netip.MustParseAddr("192.0.2.254"), Ends: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)},
	} {
		if got := l.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
