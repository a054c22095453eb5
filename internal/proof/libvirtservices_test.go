package proof

import (
	"context"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"kvmnet/internal/nstest"
	"kvmnet/internal/peers"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// served are networks of libvirt that use what its XML says of names and addresses. By
// bridge.
var served = map[string]string{
	"vb-iso": `<network><name>iso</name><bridge name='vb-iso' stp='off'/><mtu size='1400'/><domain name='iso.test' localOnly='yes'/>
<dns forwardPlainNames='no'><forwarder domain='x.test'/>
<txt name='t1' value='hello world'/>
<srv service='ldap' protocol='tcp'/><srv service='sip' protocol='udp' domain='other.test' target='sip.other.test' port='5060' priority='1' weight='2'/>
<srv service='http' protocol='tcp' target='.' port='80'/><srv service='xmpp' protocol='tcp' target='a' port='5222'/>
<host ip='10.72.0.7'><hostname>a</hostname><hostname>b.c.d</hostname></host><host ip='fd72::7'><hostname>a</hostname></host></dns>
<ip address='10.72.0.1' netmask='255.255.255.0' localPtr='yes'><dhcp><range start='10.72.0.10' end='10.72.0.99'><lease expiry='2' unit='hours'/></range>
<host mac='52:54:00:00:72:01' ip='10.72.0.5'/><host name='byname' ip='10.72.0.6'/><bootp file='pxe.0' server='10.72.0.9'/></dhcp></ip>
<ip family='ipv6' address='fd72::1' prefix='64' localPtr='yes'/></network>`,
	"vb-nodns": `<network><name>nodns</name><forward/><bridge name='vb-nodns' stp='off'/><dns enable='no'/><ip address='10.71.0.1' netmask='255.255.255.0'><dhcp>
<range start='10.71.0.10' end='10.71.0.99'/><host mac='52:54:00:00:71:01' name='h1' ip='10.71.0.5'><lease expiry='0'/></host></dhcp></ip></network>`,
	"vb-static": `<network><name>static</name><forward mode='route'/><bridge name='vb-static' stp='off'/><ip address='10.73.0.1' netmask='255.255.255.0'><dhcp>
<host mac='52:54:00:00:73:01' name='h3' ip='10.73.0.5'/></dhcp></ip></network>`,
}

// asked are questions to the gateway of iso. Where libvirt's answer is not ours, ours is
// there, with the reason.
var asked = []struct{ question, ours, reason string }{
	{question: "t1 TXT"},
	{"t1.iso.test TXT", "NOERROR \"hello world\"", "a name without a dot is below the domain, too"},
	{question: "a A"},
	{question: "a.iso.test A"},
	{question: "a.iso.test AAAA"},
	{question: "a.iso.test MX"},
	{question: "b.c.d A"},
	{question: "b.c.d.iso.test A"},
	{question: "unknown.iso.test A"},
	{question: "unknown A"},
	{question: "www.example.com A"},
	{question: "www.x.test A"},
	{question: "7.0.72.10.in-addr.arpa PTR"},
	{question: "99.0.72.10.in-addr.arpa PTR"},
	{"1.0.72.10.in-addr.arpa PTR", "NOERROR gateway.iso.test.", "the gateway has a name"},
	{question: "9.9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.7.d.f.ip6.arpa PTR"},
	{"_ldap._tcp.iso.test SRV", "NOERROR 0 0 0 .", "what is not there has no port"},
	{question: "_sip._udp.other.test SRV"},
	{"_http._tcp.iso.test SRV", "NOERROR 0 0 80 .", "libvirt forgets the port when the target is a dot"},
	{"_xmpp._tcp.iso.test SRV", "NOERROR 0 0 5222 a.iso.test.", "a name without a dot is below the domain"},
	{question: "guest.iso.test A"},
	{question: "guest A"},
}

// TestServicesOfTheXMLAreThoseOfLibvirt starts the same networks in libvirt and here, and
// asks both the same.
func TestServicesOfTheXMLAreThoseOfLibvirt(t *testing.T) {
	t.Parallel()
	lv := peers.StartLibvirt(t)
	w := newWorld(t, "networks: {quiet: {mode: isolated}}")
	for _, text := range served {
		virsh(t, lv, "net-define", lv.File("network.xml", text))
		w.defineXML(text)
	}
	for _, name := range []string{"iso", "nodns", "static"} {
		virsh(t, lv, "net-start", name)
	}
	compareLeases(t, lv.Host(), w.Lab.Machine)
	them, us := asker(t, lv.Host(), "them"), asker(t, w.Lab.Machine, "us")
	for _, q := range asked {
		theirs, ours := them(q.question), us(q.question)
		switch want := q.ours; {
		case q.question == "guest.iso.test A" || q.question == "guest A": // with an address of the server's choice
			if !strings.HasPrefix(ours, "NOERROR 10.72.0.") || !strings.HasPrefix(theirs, "NOERROR 10.72.0.") {
				t.Errorf("%s: libvirt %s, kvmnet %s", q.question, theirs, ours)
			}
		case want == "" && ours != theirs:
			t.Errorf("%s: libvirt %s, kvmnet %s", q.question, theirs, ours)
		case want != "" && (ours != want || ours == theirs):
			t.Errorf("%s: libvirt %s, kvmnet %s, want %s: %s", q.question, theirs, ours, want, q.reason)
		}
	}
}

// compareLeases has guests of the same MACs take leases on both machines.
func compareLeases(t *testing.T, theirs, ours *testhost.Host) {
	t.Helper()
	guests := []struct{ bridge, mac string }{{"vb-iso", "52:54:00:00:72:33"}, {"vb-iso", "52:54:00:00:72:01"}, {"vb-nodns", "52:54:00:00:71:01"}, {"vb-static", "52:54:00:00:73:01"}}
	leases := make([][2]peers.Lease, len(guests))
	var work sync.WaitGroup
	for i, g := range guests {
		for k, machine := range []*testhost.Host{theirs, ours} {
			client := clientOn(t, machine, g.bridge, guestMAC(t, g.mac))
			work.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				var err error
				if leases[i][k], err = client.Take(ctx); err != nil {
					t.Errorf("%s on %s of %s: %v", g.mac, g.bridge, machine.Name(), err)
				}
			})
		}
	}
	work.Wait()
	for i, g := range guests {
		if diff := cmp.Diff(leases[i][0], leases[i][1], sameLease(g.mac)); diff != "" {
			t.Errorf("%s on %s (-libvirt +kvmnet):\n%s", g.mac, g.bridge, diff)
		}
	}
}

// sameLease compares leases but for domains to search, which libvirt does not tell; for
// the name of a guest that has its own, which libvirt tells it again; and for the
// address of a newcomer, which is the server's to choose.
func sameLease(mac string) cmp.Options {
	newcomer := strings.HasSuffix(mac, ":33")
	return cmp.Options{cmpopts.IgnoreFields(peers.Lease{}, "Search"),
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b || newcomer && a.Masked() == b.Masked() }),
		cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".Host" },
			cmp.Comparer(func(theirs, ours string) bool { return theirs == ours || theirs == ownName && ours == "" }))}
}

// ownName is what the guests call themselves.
const ownName = "guest"

// clientOn is a DHCP client with that MAC on a bridge of a machine.
func clientOn(t *testing.T, machine *testhost.Host, bridge string, mac spec.MAC) peers.Client {
	t.Helper()
	h := nstest.Host(t, ownName)
	if err := h.Plug(testhost.Plug{MAC: mac, Outside: machine.NS(), OutsideName: "v-" + bridge + mac.String()[15:], Bridge: bridge}); err != nil {
		t.Fatal(err)
	}
	return peers.Dhclient(t, h)
}

var status = regexp.MustCompile(`status: (\w+)`)

// asker is a guest of iso that asks the gateway; answers are the status and the data.
func asker(t *testing.T, machine *testhost.Host, name string) func(question string) string {
	t.Helper()
	h := nstest.Host(t, name)
	nstest.Join(t, h, machine, "vb-iso", netip.MustParsePrefix("10.72.0.50/24"))
	return func(question string) string {
		args := append([]string{"@10.72.0.1", "+time=5", "+tries=3", "+noall", "+comments", "+answer"}, strings.Fields(question)...)
		out := nstest.Run(t, h.NS(), "dig", args...)
		answer := "nothing"
		if m := status.FindStringSubmatch(out); m != nil {
			answer = m[1]
		}
		for line := range strings.Lines(out) {
			if w := strings.Fields(line); len(w) > 4 && w[2] == "IN" {
				answer += " " + strings.Join(w[4:], " ")
			}
		}
		return answer
	}
}
