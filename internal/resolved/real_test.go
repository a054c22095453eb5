package resolved

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"kvmnet/internal/nstest"
	"kvmnet/internal/resolved/resolvedtest"
	"kvmnet/internal/testhost"
)

// realHost is a host with a bridge, a DNS server on it, and systemd-resolved.
func realHost(t *testing.T) (*testhost.Host, *resolvedtest.Resolved, Link) {
	t.Helper()
	h := nstest.Host(t, "host")
	must(t, h.Bridge("lab0"))
	must(t, h.AddAddress("lab0", netip.MustParsePrefix("192.168.100.1/24")))
	link, err := h.Netlink().LinkByName("lab0")
	must(t, err)
	answer(t, h, "192.168.100.1:53")
	l := labLink
	l.Index = link.Attrs().Index
	return h, resolvedtest.Start(t, h), l
}

// answer serves vm1.lab.internal and its reverse name.
func answer(t *testing.T, h *testhost.Host, address string) {
	t.Helper()
	records := map[string]string{
		"vm1.lab.internal.A":              "vm1.lab.internal. 60 IN A 192.168.100.20",
		"20.100.168.192.in-addr.arpa.PTR": "20.100.168.192.in-addr.arpa. 60 IN PTR vm1.lab.internal.",
	}
	var conn net.PacketConn
	must(t, h.NS().Do(func() (err error) {
		conn, err = net.ListenPacket("udp", address)
		return err
	}))
	server := &dns.Server{PacketConn: conn, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if text, ok := records[q.Question[0].Name+dns.TypeToString[q.Question[0].Qtype]]; ok {
			rr, _ := dns.NewRR(text)
			m.Answer = append(m.Answer, rr)
		}
		w.WriteMsg(m)
	})}
	done := make(chan error, 1)
	go func() { done <- server.ActivateAndServe() }()
	t.Cleanup(func() {
		conn.Close()
		<-done
	})
}

// shows waits until resolvectl shows all of these, in any place.
func shows(t *testing.T, r *resolvedtest.Resolved, command string, want ...string) {
	t.Helper()
	nstest.Eventually(t, patience, func() error {
		out, err := r.Resolvectl(t, strings.Fields(command)...)
		for _, w := range want {
			if !strings.Contains(out, w) {
				err = errors.Join(err, fmt.Errorf("resolvectl %s lacks %q:\n%s", command, w, out))
			}
		}
		return err
	})
}

func showsLab(t *testing.T, r *resolvedtest.Resolved) {
	t.Helper()
	shows(t, r, "status lab0", "DNS Servers: 192.168.100.1", "DNS Domain: lab.internal ~100.168.192.in-addr.arpa",
		"-DefaultRoute -LLMNR -mDNS -DNSOverTLS DNSSEC=no")
}

func TestResolvectlShowsTheDomainAgainAfterARestart(t *testing.T) {
	t.Parallel()
	h, r, lab := realHost(t)
	c := open(t, Options{Address: r.Address, NS: h.NS()})
	c.Set([]Link{lab})
	showsLab(t, r)
	awaitState(t, c, Registered)

	r.Kill(t)
	awaitState(t, c, Absent)
	r.Forget(t)
	r.StartAgain(t)
	showsLab(t, r)
	awaitState(t, c, Registered)

	r.Kill(t)
	r.Bus.Stop(t)
	r.Forget(t)
	r.Bus.Start(t)
	r.StartAgain(t)
	showsLab(t, r)
}

func TestHostFindsGuestsByName(t *testing.T) {
	t.Parallel()
	h, r, lab := realHost(t)
	if out, err := r.Resolvectl(t, "query", "vm1.lab.internal"); err == nil {
		t.Fatalf("answered before the link was registered: %s", out)
	}
	c := open(t, Options{Address: r.Address, NS: h.NS()})
	c.Set([]Link{lab})
	shows(t, r, "query vm1.lab.internal", "192.168.100.20", "link: lab0")
	shows(t, r, "query vm1", "192.168.100.20") // the domain is searched
	shows(t, r, "query 192.168.100.20", "vm1.lab.internal")
	if out, err := r.Resolvectl(t, "query", "vm1.example.org"); err == nil || strings.Contains(err.Error(), "lab0") {
		t.Errorf("a name of others went to the network: %s %v", out, err)
	}

	c.Set(nil)
	nstest.Eventually(t, patience, func() error {
		out, err := r.Resolvectl(t, "query", "vm1.lab.internal")
		if err == nil {
			return fmt.Errorf("still answered: %s", out)
		}
		return nil
	})
}

func TestRealResolvedRepairsARevertedLink(t *testing.T) {
	t.Parallel()
	h, r, lab := realHost(t)
	open(t, Options{Address: r.Address, NS: h.NS()}).Set([]Link{lab})
	showsLab(t, r)
	_, err := r.Resolvectl(t, "revert", "lab0")
	must(t, err)
	showsLab(t, r)
	_, err = r.Resolvectl(t, "domain", "lab0", "other.example")
	must(t, err)
	showsLab(t, r)
}

// TestRegistrationWaitsForTheLink: netlink and D-Bus tell systemd-resolved of a
// link in any order.
func TestRegistrationWaitsForTheLink(t *testing.T) {
	t.Parallel()
	h, r, lab := realHost(t)
	c := open(t, Options{Address: r.Address, NS: h.NS()})
	next := Link{Index: lab.Index + 1, Name: "red0", Servers: lab.Servers, Domain: "red.internal"}
	c.Set([]Link{next})
	awaitState(t, c, "register red0 with systemd-resolved")
	must(t, h.Bridge("red0"))
	shows(t, r, "domain red0", "red.internal")
	awaitState(t, c, Registered)
	nstest.Run(t, h.NS(), "ip", "link", "del", "red0")
	c.Set([]Link{lab})
	showsLab(t, r)
	awaitState(t, c, Registered)
}

func TestLinkOfRealNetworkdWaitsUntilItIsGivenUp(t *testing.T) {
	t.Parallel()
	h, r, lab := realHost(t)
	r.Manage(t, lab.Index, true)
	nstest.Eventually(t, patience, func() error {
		if _, err := r.Resolvectl(t, "llmnr", "lab0", "no"); err == nil {
			return errors.New("systemd-resolved has not seen the state of systemd-networkd yet")
		}
		return nil
	})
	c := open(t, Options{Address: r.Address, NS: h.NS()})
	c.Set([]Link{lab})
	awaitState(t, c, "systemd-networkd manages the link")
	r.Manage(t, lab.Index, false)
	showsLab(t, r)
}
