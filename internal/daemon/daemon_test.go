package daemon_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/nstest"
)

// allModes has a network of every mode, with everything an object can have that
// becomes a kernel object.
const allModes = `
networks:
  quiet: {mode: isolated}
  red:
    mode: isolated
    subnets: [{address: 10.1.0.1/24}, {address: "fd00:1::1/64"}]
  lab:
    mode: nat
    bridge: {mtu: 1400}
    subnets: [{address: 10.2.0.1/24}, {address: "fd00:2::1/64"}]
    routes: [{to: 10.20.0.0/16, via: 10.2.0.7}]
  pub:
    mode: route
    uplink: eth0
    subnets: [{address: 10.3.0.1/24}, {address: "2001:db8:3::1/64"}]
  free:
    mode: open
    bridge: {stp: true, forwardDelay: 2s}
    subnets: [{address: 10.4.0.1/24}]
  lan: {mode: bridge, bridge: {name: br0}}
bridges:
  br0: {mac: "52:54:00:00:00:01", addresses: [10.5.0.1/24]}
ports:
  vm1: {network: lab, type: veth}
  vm2: {network: quiet, type: veth}
  vm3: {network: lan, type: veth}
`

func TestApplyTwiceChangesNothing(t *testing.T) {
	t.Parallel()
	l := nstest.NewLab(t)
	m := newMachine(t, l.Machine.NS())
	m.Start(0)
	first := m.Apply(allModes)
	if len(first.Ops) < 40 || len(first.Problems) > 0 {
		t.Fatalf("the first apply did %d ops, problems %v", len(first.Ops), first.Problems)
	}
	t.Log("\n" + strings.Join(first.Ops, "\n"))
	second := m.Apply(allModes)
	if len(second.Ops) > 0 || changed(second) > 0 {
		t.Errorf("the second apply did %v, changed %v", second.Ops, second.Objects)
	}
	m.Settled()
	before := nstest.Dump(t, m.NS)
	m.Stop()
	m.Start(0)
	m.Settled()
	nstest.Eventually(t, 10*time.Second, func() error { // the kernel tells a lost carrier a little later
		if d := nstest.Diff(before, nstest.Dump(t, m.NS)); d != "" {
			return errors.New(d)
		}
		return nil
	})
	if strings.Contains(m.Log.String(), "msg=op") {
		t.Errorf("a restarted daemon changed something:\n%s", m.Log)
	}
}

var errNotYet = errors.New("not repaired yet")

func changed(r api.ApplyResult) (n int) {
	for _, o := range r.Objects {
		if o.Verb != "unchanged" {
			n++
		}
	}
	return n
}
