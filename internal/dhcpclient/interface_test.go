package dhcpclient

import (
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"kvmnet/internal/spec"
)

var onNIC = Interface{Key: "52:54:00:00:00:01", Link: "eth0", MAC: ownMAC}

func on(link string) []Interface {
	i := onNIC
	i.Link = link
	return []Interface{i}
}

// holds fails unless the interface has that address.
func (r *rig) holds(want string) {
	r.t.Helper()
	got := ""
	if a, ok := r.Acquired()[onNIC.Key]; ok {
		got = a.Address.String()
	}
	if got != want {
		r.t.Errorf("acquired %q, want %q", got, want)
	}
}

func TestALeaseFollowsItsInterfaceToAnotherLinkAndBack(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		r.SetInterfaces(on("eth0"))
		time.Sleep(time.Second)
		r.expect(1, "DISCOVER", "REQUEST")
		for _, link := range []string{"br0", "br0", "eth0"} {
			r.SetInterfaces(on(link))
			r.holds("192.0.2.9/24")
			time.Sleep(time.Second)
			r.holds("192.0.2.9/24")
		}
		r.expect(0, "REQUEST", "REQUEST") // whether it holds there
		if want := []string{"eth0", "br0", "eth0"}; !slices.Equal(r.plugged, want) {
			t.Errorf("links %q, want %q", r.plugged, want)
		}
		r.SetInterfaces(nil)
		r.expect(1, "RELEASE")
	})
}

func TestALeaseThatDoesNotHoldOnTheOtherLinkIsReplaced(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		r.SetInterfaces(on("eth0"))
		time.Sleep(time.Second)
		r.set(&r.refuse, true)
		r.SetInterfaces(on("br0"))
		time.Sleep(100 * time.Millisecond)
		r.holds("")
		r.mu.Lock()
		r.refuse, r.give = false, r.give.Next()
		r.mu.Unlock()
		time.Sleep(2 * time.Minute)
		r.holds("192.0.2.10/24")
	})
}

func TestAnotherMACOfTheSameKeyGivesTheLeaseBack(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		r.SetInterfaces(on("eth0"))
		time.Sleep(time.Second)
		other := onNIC
		other.MAC = spec.MAC{0x52, 0x54, 0, 0, 0, 2}
		r.SetInterfaces([]Interface{other})
		time.Sleep(time.Second)
		r.expect(3, "DISCOVER", "REQUEST", "RELEASE", "DISCOVER", "REQUEST")
	})
}

func TestTheAddressThatIsThereIsAskedForFirstAndOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		i := onNIC
		i.Wish = netip.MustParseAddr("192.0.2.77")
		r.SetInterfaces([]Interface{i})
		time.Sleep(time.Second)
		i.Wish = netip.Addr{} // which is no reason to begin anew
		r.SetInterfaces([]Interface{i})
		r.expect(1, "DISCOVER", "REQUEST")
		if got := r.wishes[0]; got != "192.0.2.77" {
			t.Errorf("asked for %s", got)
		}
		r.set(&r.refuse, true)
		time.Sleep(31 * time.Minute) // to the next DISCOVER
		r.mu.Lock()
		defer r.mu.Unlock()
		if last := r.wishes[len(r.wishes)-1]; len(r.wishes) < 2 || last != "<nil>" {
			t.Errorf("asked again for %s of %q", last, r.wishes)
		}
	})
}

func TestARenewalIsToldOfWhoWantsToKnow(t *testing.T) {
	t.Parallel()
	inBubble(t, func(r *rig) {
		var renewed atomic.Int32
		r.Clients.o.Renewed = func() { renewed.Add(1) }
		r.SetInterfaces(on("eth0"))
		time.Sleep(time.Second)
		if renewed.Load() != 0 {
			t.Error("a first lease is no renewal")
		}
		time.Sleep(91 * time.Minute)
		r.expect(1, "DISCOVER", "REQUEST", "REQUEST", "REQUEST", "REQUEST")
		if renewed.Load() != 3 {
			t.Errorf("renewed %d times", renewed.Load())
		}
	})
}
