package proof

import (
	"errors"
	"fmt"
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// TestAdoptedPortIsSeenAndCountedAndNeverRemoved: somebody plugs an interface of his
// own into a bridge of ours. It is listed with what passed and the lease of its guest.
// When the bridge goes it is nobody's port, and stays as it is; a new bridge is not the
// one into which it was plugged.
func TestAdoptedPortIsSeenAndCountedAndNeverRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	before := w.dump()
	w.put("networks: {lab: {mode: nat, bridge: {name: lab0}, subnets: [{address: 10.9.0.1/24}]}}")
	g := w.guest("vm1", "lab0", "10.9.0.5/24", "10.9.0.1")
	iface := nstest.PortName("vm1")
	pings := func() {
		t.Helper()
		ask(t, []question{{g, testhost.Probe{Proto: testhost.ICMP, To: addr("10.9.0.1")}, "yes"}})
	}
	pings()
	first := w.adopted(iface)
	if first == nil || first.Spec.Network != "lab" || first.Status.Bridge != "lab0" {
		t.Fatalf("it is listed as %+v", first)
	}
	for range 10 {
		pings()
	}
	again := w.adopted(iface)
	for name, n := range map[string][2]*api.Tally{"received": {first.Status.Received, again.Status.Received}, "sent": {first.Status.Sent, again.Status.Sent}} {
		if n[1].Packets < n[0].Packets+10 || n[1].Bytes < n[0].Bytes+10*(14+20+8) {
			t.Errorf("%s: %+v, and after ten pings %+v", name, n[0], n[1])
		}
	}
	if err := w.Client.Stop(t.Context(), "lab"); err != nil {
		t.Fatal(err)
	}
	if p := w.adopted(iface); p != nil {
		t.Errorf("without a bridge it is listed as %+v", p)
	}
	if err := w.Client.Start(t.Context(), "lab"); err != nil {
		t.Fatal(err)
	}
	w.Settled()
	nstest.Run(t, w.NS, "ip", "link", "show", iface)
	if p := w.adopted(iface); p != nil {
		t.Errorf("in the new bridge it is listed as %+v", p)
	}
	nstest.Run(t, w.NS, "ip", "link", "set", iface, "master", "lab0")
	pings()
	if _, err := w.Client.Collect(t.Context()); err != nil {
		t.Error(err)
	}
	if p := w.adopted(iface); p == nil {
		t.Error("gc took it")
	}
	var refused *api.Error
	if err := w.Client.DeletePort(t.Context(), iface); !errors.As(err, &refused) {
		t.Errorf("deleting it: %v", err)
	}
	if err := errors.Join(w.Client.Stop(t.Context(), "lab"), w.Client.Undefine(t.Context(), "lab")); err != nil {
		t.Error(err)
	}
	nstest.Run(t, w.NS, "ip", "link", "del", iface)
	w.Settled()
	nstest.Same(t, before, w.dump())
}

// adopted is what the list says of an interface, nil when it is not there.
func (w *world) adopted(iface string) (found *api.Port) {
	w.t.Helper()
	nstest.Eventually(w.t, patience, func() error {
		ports, err := w.Client.Ports(w.t.Context())
		found = nil
		for _, p := range ports {
			if p.Name == iface && p.Status.State == "adopted" {
				found = &p
			}
		}
		if err == nil && found != nil && (found.Status.Received == nil || found.Status.Sent == nil) {
			err = fmt.Errorf("%s is not counted", iface)
		}
		return err
	})
	return found
}
