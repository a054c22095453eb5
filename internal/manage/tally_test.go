package manage

import (
	"fmt"
	"strings"
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
)

// What passed ports is told as their guests see it: of taps, of one that somebody else
// plugged in, and of a macvtap, which is the guest's own end. What limits dropped is
// counted too.
func TestPortsAreCountedFromTheGuestsSide(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(`networks: {lab: {mode: isolated}, lan: {mode: bridge, direct: {devices: [eth0]}}}
ports: {vm1: {network: lab, bandwidth: {in: 8mbit, out: 8mbit}}, vm2: {network: lan}, vm3: {network: lab}}`)
	r.host.add(plan.Link{Name: "qemu0", Type: "tap", Master: "lab", MTU: 1500})
	passed := api.Traffic{RxPackets: 10, RxBytes: 1000, RxDropped: 1, TxPackets: 20, TxBytes: 2000, TxDropped: 2}
	r.kernel.set(func(k *kernel) {
		k.traffic = map[string]api.Traffic{"vm1": passed, "vm2": passed, "qemu0": passed,
			"ifbtx_vm1": {RxPackets: 9, TxPackets: 9, TxDropped: 100}, "ifbrx_vm1": {TxDropped: 200}}
	})
	ports, err := r.Ports(t.Context())
	r.ok(err)
	var got []string
	for _, p := range ports {
		text := "nothing"
		if st := p.Status; st.Received != nil && st.Sent != nil {
			text = fmt.Sprint("received ", *st.Received, " sent ", *st.Sent)
		}
		got = append(got, p.Name+" "+text)
	}
	want := []string{"vm1 received {20 2000 202} sent {10 1000 101}", "vm2 received {10 1000 1} sent {20 2000 2}",
		"vm3 nothing", "qemu0 received {20 2000 2} sent {10 1000 1}"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("ports\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A port has the leases of whoever is behind it, and those of its MAC wherever that was
// seen; an interface of others those of its guests.
func TestPortsTellTheLeasesOfTheirGuests(t *testing.T) {
	t.Parallel()
	r := leasedRig(t)
	r.host.add(plan.Link{Name: "tap7", Type: "tap", Master: "lab", MTU: 1500})
	r.guests.lease("lab", "10.2.0.21", "52:54:00:00:00:77", "", "vm1")
	r.guests.lease("lab", "10.2.0.4", "52:54:00:00:00:01", "", "")
	r.guests.lease("red", "10.1.0.9", "52:54:00:00:00:01", "", "vm1")
	ports, err := r.Ports(t.Context())
	r.ok(err)
	var got []string
	for _, p := range ports {
		got = append(got, fmt.Sprint(p.Name, p.Status.Leases))
	}
	if want := "vm1[10.2.0.4 10.2.0.20 10.2.0.21] tap7[10.2.0.3]"; strings.Join(got, " ") != want {
		t.Errorf("ports have %q, want %s", got, want)
	}
}
