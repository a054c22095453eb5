package daemon_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

const natLab = `
networks:
  lab:
    mode: nat
    subnets:
      - {address: 10.2.0.1/24}
      - {address: "fd00:2::1/64"}
`

// guestOf plugs a test host into a network's bridge.
func guestOf(t *testing.T, l *nstest.Lab, network string, addresses ...string) *testhost.Host {
	t.Helper()
	return l.Guest(t, network+"-guest", network, addresses...)
}

// TestTrafficLosesNothing runs a ping and a TCP stream from a NAT guest to the
// outside while the daemon is restarted and killed, while twenty other networks
// come and go, and while the guest's own network gets a subnet, a reservation
// and another description.
func TestTrafficLosesNothing(t *testing.T) {
	t.Parallel()
	l := nstest.NewLab(t)
	m := newMachine(t, l.Machine.NS())
	m.Start(0)
	m.Apply(natLab)
	guest := guestOf(t, l, "lab", "10.2.0.7/24", "10.2.0.1", "fd00:2::7/64", "fd00:2::1")
	if r := guest.Probe(t.Context(), testhost.Probe{Proto: testhost.TCP, To: nstest.Outside4}); r.Seen != nstest.Machine4 {
		t.Fatalf("the guest is not NATed: %s", r)
	}
	ping4, err := guest.PingStream(t.Context(), nstest.Outside4, 5*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	ping6, err := guest.PingStream(t.Context(), nstest.Outside6, 5*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := guest.TCPStream(t.Context(), netip.AddrPortFrom(nstest.Outside4, testhost.EchoPort))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(){
		"restart":            func() { m.Stop(); m.Start(0) },
		"kill":               func() { m.Kill(); m.Start(0) },
		"networks come, go":  func() { comeAndGo(m) },
		"subnet added":       func() { m.Apply(natLab + "      - {address: 10.22.0.1/24}\n") },
		"reservation added":  func() { m.Apply(withReservation) },
		"definition changed": func() { m.Apply(strings.Replace(natLab, "mode: nat", "mode: nat\n    title: another", 1)) },
	} {
		change()
		if r := ping4.Report(); r.Lost > 8 { // what is under way counts as lost until it is back
			t.Errorf("%s: %d of %d pings lost", name, r.Lost, r.Sent)
		}
	}
	m.Settled()
	for name, p := range map[string]*testhost.PingStream{"IPv4": ping4, "IPv6": ping6} {
		if r := p.Stop(); r.Lost > 0 || r.Sent < 100 || len(r.Refusals) > 0 {
			t.Errorf("%s ping: %+v", name, r)
		} else {
			t.Logf("%s ping: %d of %d answered, longest gap %s", name, r.Received, r.Sent, r.LongestGap)
		}
	}
	if r := tcp.Stop(); r.Broken != "" || r.Bytes < 100_000 {
		t.Errorf("TCP stream: %+v", r)
	} else {
		t.Logf("TCP stream: %d bytes, longest stall %s", r.Bytes, r.LongestStall)
	}
}

const withReservation = `
networks:
  lab:
    mode: nat
    subnets:
      - {address: 10.2.0.1/24, dhcp: {ranges: [10.2.0.100-10.2.0.199], hosts: {vm1: {mac: "52:54:00:00:00:07", ip: 10.2.0.7}}}}
      - {address: "fd00:2::1/64"}
      - {address: 10.22.0.1/24}
`

// comeAndGo starts twenty networks of all modes and removes them again.
func comeAndGo(m *machine) {
	m.T.Helper()
	var b strings.Builder
	b.WriteString("networks:\n")
	modes := []string{"isolated", "nat", "route", "open"}
	for i := range 20 {
		fmt.Fprintf(&b, "  come%d: {mode: %s, subnets: [{address: 10.50.%d.1/24}]}\n", i, modes[i%len(modes)], i)
	}
	m.Apply(b.String())
	for i := range 20 {
		m.remove(fmt.Sprintf("come%d", i))
	}
}

// remove stops and undefines a network.
func (m *machine) remove(network string) {
	m.T.Helper()
	if err := m.Client.Stop(m.T.Context(), network); err != nil {
		m.T.Fatal(err)
	}
	if err := m.Client.Undefine(m.T.Context(), network); err != nil {
		m.T.Fatal(err)
	}
}
