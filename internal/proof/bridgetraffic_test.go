package proof

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// longestOutage is how long a connection may be silent because of a conversion. The
// kernel asks again for what was lost after 200 ms at the earliest: so nothing is lost.
const longestOutage = 100 * time.Millisecond

// TestConnectionsDoNotNoticeAConversion converts, reverts, converts, confirms and takes
// back, with connections from the host and to it, and a NAT network that leaves by the
// NIC: by the bridge, as soon as it has its place.
func TestConnectionsDoNotNoticeAConversion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plainNAT)
	w.uproot()
	guest := w.guest("vm1", "lab0", "10.9.0.5/24", "10.9.0.1")
	nstest.Serve(t, w.Lab.Machine)
	nstest.Eventually(t, 20*time.Second, func() error {
		if text := nstest.Run(t, w.NS, "ip", "-6", "addr", "show", "tentative"); text != "" {
			return errDiff(text)
		}
		return nil
	})
	before := nstest.Dump(t, w.NS)
	from := w.stream(w.Outside, nstest.Machine4)
	from6 := w.stream(w.Neighbour, nstest.Machine6)
	to := w.stream(w.Lab.Machine, nstest.Outside4)
	reaches(t, guest, nstest.Machine4.String())
	for _, end := range []func(string) (api.HostChange, error){w.rollback, w.confirm} {
		done, err := w.Client.ConvertBridge(t.Context(), api.ConvertBridge{Interface: "eth0"})
		w.fine(err)
		t.Logf("outage %s, %v", done.Outage, done.Warnings)
		reaches(t, guest, nstest.Machine4.String())
		_, err = end(done.Change.ID)
		w.fine(err)
		reaches(t, guest, nstest.Machine4.String())
	}
	w.Settled()
	if got := nstest.Run(t, w.NS, "sysctl", "-n", "net.ipv4.conf.eth0.forwarding", "net.ipv4.conf.br0.forwarding"); got != "0\n1\n" {
		t.Errorf("forwarding of the NIC and the bridge: %q", got)
	}
	done, err := w.Client.UnconvertBridge(t.Context(), api.UnconvertBridge{Bridge: "br0"})
	w.fine(err)
	_, err = w.confirm(done.Change.ID)
	w.fine(err)
	reaches(t, guest, nstest.Machine4.String())
	for name, s := range map[string]*testhost.TCPStream{"from outside": from, "from a neighbour, IPv6": from6, "to outside": to} {
		if r := s.Stop(); !went(r) {
			t.Errorf("%s: %+v", name, r)
		} else {
			t.Logf("%s: silent for %s at most", name, r.LongestStall)
		}
	}
	w.Settled()
	nstest.Eventually(t, 20*time.Second, func() error {
		d := nstest.Diff(daemontest.Index.ReplaceAllString(before, "$1"), daemontest.Index.ReplaceAllString(nstest.Dump(t, w.NS), "$1"))
		if d != "" {
			return errDiff(d)
		}
		return nil
	})
	w.put("networks: {}\n") // what the loop borrowed is given back, in the end
	w.fine(w.Client.Stop(t.Context(), "lab"))
	w.Settled()
	if got := nstest.Run(t, w.NS, "sysctl", "-n", "net.ipv4.conf.eth0.forwarding"); got != "0\n" {
		t.Errorf("the NIC forwards without any network: %q", got)
	}
}

// went reports whether a stream went on without a pause, but for one that a busy
// machine makes.
func went(r testhost.TCPReport) bool {
	return r.Broken == "" && r.LongestStall <= longestOutage+slack/10 && r.Stalls <= 1
}

const plainNAT = "networks:\n  lab: {mode: nat, bridge: {name: lab0}, subnets: [{address: 10.9.0.1/24}]}\n"

type errDiff string

func (e errDiff) Error() string { return string(e) }

// uproot takes eth1 away, which is a second way to the LAN.
func (w *world) uproot() {
	w.t.Helper()
	nstest.Run(w.t, w.NS, "ip", "link", "del", "eth1")
	w.Settled()
}

func (w *world) confirm(id string) (api.HostChange, error) {
	return w.Client.ConfirmChange(w.t.Context(), id)
}

func (w *world) rollback(id string) (api.HostChange, error) {
	return w.Client.RollbackChange(w.t.Context(), id)
}

func (w *world) stream(from *testhost.Host, to netip.Addr) *testhost.TCPStream {
	w.t.Helper()
	s, err := from.TCPStream(w.t.Context(), netip.AddrPortFrom(to, testhost.EchoPort))
	w.fine(err)
	return s
}

// TestGuestsOnTheBridgeKeepTheirConnections through changes that are none of theirs,
// and through an unconversion between themselves.
func TestGuestsOnTheBridgeKeepTheirConnections(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.uproot()
	done, err := w.Client.ConvertBridge(t.Context(), api.ConvertBridge{Interface: "eth0", Bridge: "br-lan"})
	w.fine(err)
	one, two := w.guest("vm1", "br-lan", "192.0.2.11/24", "192.0.2.1"), w.guest("vm2", "br-lan", "192.0.2.12/24", "192.0.2.1")
	outside, between := w.stream(one, nstest.Outside4), w.stream(two, netip.MustParseAddr("192.0.2.11"))
	_, err = w.confirm(done.Change.ID)
	w.fine(err)
	w.put(plainNAT)
	w.put("networks:\n  lan: {mode: bridge, bridge: {name: br-lan}}\nforwards:\n  web: {network: lab, protocol: tcp, listen: 8080, to: \"10.9.0.5:80\"}\n")
	w.Stop()
	w.Start(0)
	w.Settled()
	if r := outside.Stop(); !went(r) {
		t.Errorf("to the outside: %+v", r)
	}
	if _, err := w.Client.UnconvertBridge(t.Context(), api.UnconvertBridge{Bridge: "br-lan"}); err != nil {
		t.Error(err)
	}
	if r := between.Stop(); !went(r) {
		t.Errorf("between guests: %+v", r)
	}
	if ports := nstest.Run(t, w.NS, "ip", "-o", "link", "show", "master", "br-lan"); strings.Count(ports, "\n") != 2 {
		t.Errorf("ports of the bridge without the NIC:\n%s", ports)
	}
	_, err = w.rollback("")
	w.fine(err)
	reaches(t, one, "192.0.2.11")
}

// TestDefinitionsKeepTheirInterfaces: what a definition has is not taken from it.
func TestDefinitionsKeepTheirInterfaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plainNAT+"bridges:\n  br5: {ports: [eth1]}\n")
	for want, c := range map[string]api.ConvertBridge{
		"eth1 is a port of bridge/br5 by its definition": {Interface: "eth1"},
		"bridge/br5 is defined":                          {Interface: "eth0", Bridge: "br5"},
		"lab0 is the bridge of network/lab":              {Interface: "eth0", Bridge: "lab0"},
		"there is no such interface":                     {Interface: "eth9"},
	} {
		if _, err := w.Client.ConvertBridge(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	w.put("networks:\n  lab: {mode: nat, uplink: eth0, bridge: {name: lab0}, subnets: [{address: 10.9.0.1/24}]}\n")
	plan, err := w.Client.ConvertBridge(t.Context(), api.ConvertBridge{Interface: "eth0", Plan: true})
	if err != nil || !strings.Contains(strings.Join(plan.Warnings, "\n"), "network/lab leaves by eth0") {
		t.Errorf("%v, %v", plan.Warnings, err)
	}
	w.Settled()
}

// TestApplyThatNobodyConfirms is taken back: at its deadline, and when the daemon was
// killed; confirmed it stays.
func TestApplyThatNobodyConfirms(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plainNAT)
	apply := func(within spec.Seconds) api.ApplyResult {
		text := strings.ReplaceAll(plainNAT, "nat", "isolated") + "  red: {mode: isolated, bridge: {name: red0}, autostart: true}\n"
		r, err := w.Client.Apply(t.Context(), api.ApplyRequest{Files: []api.File{{Name: "f.yaml", Text: text}}, ConfirmWithin: within})
		w.fine(err)
		return r
	}
	guest := w.guest("vm1", "lab0", "10.9.0.5/24", "10.9.0.1")
	taken := func(when string) {
		t.Helper()
		reaches(t, guest, nstest.Machine4.String())
		if list, err := w.Client.Networks(t.Context()); err != nil || len(list) != 1 {
			t.Errorf("%s: %d networks, %v", when, len(list), err)
		}
		w.Settled()
	}
	apply(1)
	reaches(t, guest, "no")
	taken("at the deadline")
	apply(60)
	reaches(t, guest, "no")
	w.Kill()
	w.Start(0)
	taken("after a start")
	change := apply(60).Change
	_, err := w.confirm(change.ID)
	w.fine(err)
	reaches(t, guest, "no")
	if list, err := w.Client.Networks(t.Context()); err != nil || len(list) != 2 {
		t.Errorf("confirmed: %d networks, %v", len(list), err)
	}
}
