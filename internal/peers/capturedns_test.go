package peers

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// questions are what asks name servers. Each asks for itself, with the options it
// sends unless told otherwise.
func questions() []scene {
	const at, name = "@10.9.0.1", "vm7.lab.internal"
	dig, host := version("dig", "bind9-dnsutils"), version("host", "bind9-host")
	return []scene{
		{"dig", dig, asks("dig", at, name), []string{"dns/query-a"}},
		{"dig-plain", dig, asks("dig", at, name, "TXT", "+noedns"), []string{"dns/query-txt"}},
		{"dig-dnssec", dig, asks("dig", at, name, "MX", "+dnssec", "+bufsize=4096", "+cdflag"), []string{"dns/query-mx"}},
		{"dig-options", dig, asks("dig", at, "_ldap._tcp.lab.internal", "SRV", "+nsid", "+subnet=10.9.0.0/24", "+padding=128", "+expire", "+keepalive"), []string{"dns/query-srv"}},
		{"dig-case", dig, asks("dig", at, "VM7.Lab.Internal", "AAAA", "+norecurse", "+adflag"), []string{"dns/query-aaaa"}},
		{"dig-reverse", dig, asks("dig", at, "-x", "fd09::7"), []string{"dns/query-ptr"}},
		{"dig-root", dig, asks("dig", at), []string{"dns/query-ns"}},
		{"dig-any", dig, asks("dig", at, name, "ANY", "+notcp"), []string{"dns/query-any"}},
		{"dig-chaos", dig, asks("dig", at, "version.bind", "CH", "TXT"), []string{"dns/query-txt"}},
		{"host", host, asks("host", name, "10.9.0.1"), []string{"dns/query-a", "dns/query-aaaa", "dns/query-mx"}},
		{"delv", version("delv", "bind9-dnsutils"), asks("delv", at, name), []string{"dns/query-a"}},
		{"glibc", version("glibc", "libc6"), asks("getent", "ahosts", "vm7"), []string{"dns/query-a", "dns/query-aaaa"}},
		{"glibc-reverse", version("glibc", "libc6"), asks("getent", "hosts", "10.9.0.7"), []string{"dns/query-ptr"}},
		{"busybox", version("busybox nslookup", "busybox-static"), asks("busybox", "nslookup", name, "10.9.0.1"), []string{"dns/query-a", "dns/query-aaaa"}},
		{"dnsperf", version("dnsperf", "dnsperf"), asks("sh", "-c", "echo vm7.lab.internal A | dnsperf -s 10.9.0.1 -n 1 -e -D"), []string{"dns/query-a"}},
		{"go", "Go's resolver", goResolver, []string{"dns/query-a", "dns/query-aaaa"}},
	}
}

// asks is a program on a machine whose resolver is the server.
func asks(argv ...string) func(*studio) {
	return func(s *studio) {
		s.serve("10.9.0.10", "10.9.0.99", "--host-record=vm7.lab.internal,10.9.0.7,fd09::7")
		at := newStation(s.T, s.machine("vm1", "10.9.0.2/24", "fd09::2/64"), argv[0], 4)
		if err := os.WriteFile(at.path("resolv.conf"), []byte("search lab.internal\nnameserver 10.9.0.1\n"), 0o644); err != nil {
			s.Fatal(err)
		}
		s.run(at, program{argv: argv, prepare: []string{bind(at.path("resolv.conf"), "/etc/resolv.conf")}})
	}
}

func goResolver(s *studio) {
	s.serve4()
	h := s.machine("vm1", "10.9.0.2/24")
	r := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (c net.Conn, err error) {
		err = h.NS().Do(func() (err error) {
			c, err = new(net.Dialer).DialContext(ctx, network, "10.9.0.1:53")
			return err
		})
		return c, err
	}}
	r.LookupHost(s.Context(), "vm7.lab.internal") // what comes of it is not looked at
}

// nameDNS names a query by the type that it asks for.
func nameDNS(payload []byte) string {
	var m dns.Msg
	if err := m.Unpack(payload); err != nil || len(m.Question) != 1 {
		return "unreadable"
	}
	return "query-" + strings.ToLower(dns.TypeToString[m.Question[0].Qtype])
}

func TestCapturedQueriesAreNamedByTheirType(t *testing.T) {
	t.Parallel()
	b, err := new(dns.Msg).SetQuestion("lab.internal.", dns.TypeMX).Pack()
	if got := nameDNS(b); err != nil || got != "query-mx" {
		t.Errorf("got %s, %v", got, err)
	}
	if got := nameDNS(b[:10]); got != "unreadable" {
		t.Errorf("got %s", got)
	}
}
