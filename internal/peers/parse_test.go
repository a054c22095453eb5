package peers

import (
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

const digText = `
; <<>> DiG 9.18.49-1~deb12u3-Debian <<>> -r @10.9.0.1 vm1.lab A
; (1 server found)
;; global options: +cmd
;; Got answer:
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 1286
;; flags: qr aa rd ra; QUERY: 1, ANSWER: 2, AUTHORITY: 1, ADDITIONAL: 1

;; OPT PSEUDOSECTION:
; EDNS: version: 0, flags:; udp: 1232
;; QUESTION SECTION:
;vm1.lab.			IN	A

;; ANSWER SECTION:
vm1.lab.		60	IN	A	10.9.0.3
vm1.lab.		60	IN	A	10.9.0.2

;; AUTHORITY SECTION:
lab.			60	IN	SOA	ns.lab. root.lab. 1 2 3 4 5

;; Query time: 0 msec
;; SERVER: 10.9.0.1#53(10.9.0.1) (TCP)
`

func TestDigIsRead(t *testing.T) {
	t.Parallel()
	a, err := parseDig(digText)
	if err != nil {
		t.Fatal(err)
	}
	if a.Status != "NOERROR" || strings.Join(a.Flags, " ") != "qr aa rd ra" || a.UDPSize != 1232 || !a.TCP {
		t.Errorf("header: %+v", a)
	}
	if got := a.Values("A"); !reflect.DeepEqual(got, []string{"10.9.0.2", "10.9.0.3"}) {
		t.Errorf("answer: %v", got)
	}
	if len(a.Authority) != 1 || a.Authority[0] != (Record{"lab.", 60, "SOA", "ns.lab. root.lab. 1 2 3 4 5"}) {
		t.Errorf("authority: %v", a.Authority)
	}
	if _, err := parseDig(";; connection timed out"); err == nil {
		t.Error("no answer was taken for one")
	}
}

func FuzzDig(f *testing.F) {
	f.Add(digText)
	f.Fuzz(func(t *testing.T, text string) { parseDig(text) })
}

const perfText = `Scenario: basic.
***Rate statistics***
Rate: 150.787 4-way exchanges/second, expected rate: 200

***Malformed Packets***
Malformed packets: 0
***Statistics for: DISCOVER-OFFER***
sent packets: 388
received packets: 386
drops: 2
drops ratio: 0.5 %
orphans: 0

min delay: 0.142 ms
avg delay: 3.757 ms

***Statistics for: REQUEST-ACK***
sent packets: 386
received packets: 380
drops: 6

avg delay: 1.538 ms
`

func TestPerfDHCPIsRead(t *testing.T) {
	t.Parallel()
	r, err := parsePerfDHCP(perfText)
	r.Text = ""
	want := DHCPRate{PerSecond: 150.787, Offered: 200, Sent: 388, Completed: 380, Dropped: 8, Delay: 3757 * time.Microsecond}
	if err != nil || r != want {
		t.Errorf("got %+v, %v\nwant %+v", r, err, want)
	}
	if _, err := parsePerfDHCP("perfdhcp: no such interface"); err == nil {
		t.Error("no report was taken for one")
	}
}

func TestDNSPerfIsRead(t *testing.T) {
	t.Parallel()
	r, err := parseDNSPerf("  Queries sent:         19634\n  Queries lost:         3 (0.02%)\n  Queries per second:   19534.432995\n")
	if err != nil || r.Sent != 19634 || r.Lost != 3 || int(r.PerSecond) != 19534 {
		t.Errorf("got %+v, %v", r, err)
	}
}

// Each client's words for the same lease.
func TestLeasesAreReadInEveryClientsWords(t *testing.T) {
	t.Parallel()
	want := Lease{
		Address: netip.MustParsePrefix("10.9.0.5/24"), Router: netip.MustParseAddr("10.9.0.1"),
		DNS: []netip.Addr{netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("10.9.0.2")}, Domain: "lab", Host: "vm1",
	}
	for name, got := range map[string]Lease{
		"udhcpc":   udhcpcLease(assignments("ip=10.9.0.5\nmask=24\nrouter=10.9.0.1 10.9.0.9\ndns=10.9.0.1 10.9.0.2\ndomain=lab\nhostname=vm1\n")),
		"dhclient": scriptLease(assignments("new_ip_address=10.9.0.5\nnew_subnet_mask=255.255.255.0\nnew_routers=10.9.0.1\nnew_domain_name_servers=10.9.0.1 10.9.0.2\nnew_domain_name=lab\nnew_host_name=vm1\n")),
		"networkd": fileLease(assignments("ADDRESS=10.9.0.5\nNETMASK=255.255.255.0\nROUTER=10.9.0.1\nDNS=10.9.0.1 10.9.0.2\nDOMAINNAME=lab\nHOSTNAME=vm1\n")),
		"ipconfig": ipconfigLease(assignments("IPV4ADDR='10.9.0.5'\nIPV4NETMASK='255.255.255.0'\nIPV4GATEWAY='10.9.0.1'\nIPV4DNS0='10.9.0.1'\nIPV4DNS1='10.9.0.2'\nDNSDOMAIN='lab'\nHOSTNAME='vm1'\n")),
	} {
		if !reflect.DeepEqual(got, want) && !reflect.DeepEqual(got, withSearch(want)) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, want)
		}
	}
}

// withSearch has the empty list that strings.Fields makes.
func withSearch(l Lease) Lease { l.Search = []string{}; return l }

func TestLeasesOfIPv6AreRead(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"dhclient": "new_ip6_address=fd09::5\nnew_ip6_prefixlen=128\nnew_max_life=120\nnew_dhcp6_name_servers=fd09::1\nnew_dhcp6_server_id=0:3:0:1:a2:82:23:3e:3b:c\nnew_dhcp6_domain_search=lab.\n",
		"dhcpcd":   "new_dhcp6_ia_na1_ia_addr1=fd09::5\nnew_dhcp6_ia_na1_ia_addr1_vltime=120\nnew_dhcp6_name_servers=fd09::1\nnew_dhcp6_server_id=00030001a282233e3b0c\nnew_dhcp6_domain_search=lab\n",
	} {
		want := Lease{Address: netip.MustParsePrefix("fd09::5/128"), DNS: []netip.Addr{netip.MustParseAddr("fd09::1")},
			Search: []string{"lab"}, Time: 2 * time.Minute, Server: "00030001a282233e3b0c"}
		if got := scriptLease6(assignments(text)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, want)
		}
	}
}

// sample is a frame from a client.
func sample(t testing.TB) []byte {
	m, err := dhcpv4.NewDiscovery([]byte{2, 0, 0, 0, 0, 1})
	if err != nil {
		t.Fatal(err)
	}
	return frame(spec.MAC{2, 0, 0, 0, 0, 1}, spec.MAC{2, 0, 0, 0, 0, 2}, netip.MustParseAddr("10.9.0.5"), netip.MustParseAddr("10.9.0.1"), m.ToBytes())
}

func TestChecksumsAreInsistedOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change   func([]byte)
		notReady bool
		whole    bool
	}{
		"whole":                 {func([]byte) {}, false, true},
		"left to the card":      {func([]byte) {}, true, false},
		"IP header":             {func(b []byte) { b[14+8]++ }, false, false},
		"payload":               {func(b []byte) { b[len(b)-1] ^= 0x10 }, false, false},
		"no UDP checksum":       {func(b []byte) { b[14+26], b[14+27] = 0, 0 }, false, false},
		"longer than the frame": {func(b []byte) { b[14+2]++ }, false, false},
	} {
		f := sample(t)
		c.change(f)
		err := whole(f[14:], c.notReady)
		if (err == nil) != c.whole || err != nil && !errors.Is(err, ErrChecksum) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzWhole(f *testing.F) {
	f.Add(sample(f)[14:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, packet []byte) { whole(packet, false) })
}

func TestFramesAreReadBack(t *testing.T) {
	t.Parallel()
	m, ok := parse(testhost.ParsePacket(sample(t)))
	if !ok || m.Type != "DISCOVER" || !m.Out || m.Dst != netip.MustParseAddr("10.9.0.1") {
		t.Errorf("got %v, %v", m, ok)
	}
	if asksOneServer(m) || asksAnyServer(m) {
		t.Error("a DISCOVER was taken for a REQUEST")
	}
}

func TestWantComparesWhatAClientTells(t *testing.T) {
	t.Parallel()
	l := Lease{Address: netip.MustParsePrefix("10.9.0.5/24"), MTU: 1500}
	w := Want{Prefix: netip.MustParsePrefix("10.8.0.0/24"), Bits: 24, MTU: 1400, Domain: "lab"}
	if got := w.faults(l, []Field{MTU}); len(got) != 2 {
		t.Errorf("got %q, want address and domain", got)
	}
	if got := w.faults(l, nil); len(got) != 3 {
		t.Errorf("got %q, want address, domain and MTU", got)
	}
	if got := (Want{}).faults(l, nil); len(got) != 0 {
		t.Errorf("got %q, want nothing", got)
	}
}
